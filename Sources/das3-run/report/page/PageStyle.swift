// The looks of a report: light or dark as the reader's system is, from 400 pixels of width on.

enum PageStyle {
  static let text = """
    :root {
      color-scheme: light dark;
      --back: #ffffff; --front: #1c2128; --quiet: #57606a; --line: #d0d7de; --panel: #f6f8fa;
      --link: #0757b8; --series-0: #0969da; --series-1: #b34700; --series-2: #1a7f37;
    }
    @media (prefers-color-scheme: dark) {
      :root {
        --back: #16181d; --front: #e6e8ec; --quiet: #a3acb9; --line: #3a404a; --panel: #1f232a;
        --link: #79b8ff; --series-0: #58a6ff; --series-1: #f0883e; --series-2: #56d364;
      }
    }
    * { box-sizing: border-box; }
    body {
      margin: 0 auto; padding: 16px; max-width: 1200px; background: var(--back);
      color: var(--front); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
    }
    h1 { font-size: 1.6em; line-height: 1.25; margin: 0.4em 0; }
    h2 { font-size: 1.25em; margin: 2em 0 0.5em; border-bottom: 1px solid var(--line); }
    h3 { font-size: 1em; margin: 1.5em 0 0.5em; }
    p { max-width: 75ch; margin: 0.6em 0; }
    .lead { font-size: 1.15em; }
    a { color: var(--link); }
    nav a { display: inline-block; margin-right: 12px; padding: 4px 0; }
    footer, figcaption, caption { color: var(--quiet); font-size: 0.875em; }
    footer { margin-top: 3em; border-top: 1px solid var(--line); }
    .scroll { overflow-x: auto; max-width: 100%; margin: 0.8em 0; }
    .scroll:focus-visible { outline: 2px solid var(--link); }
    table { border-collapse: collapse; font-size: 0.9375em; overflow-wrap: normal; }
    caption { text-align: left; padding-bottom: 4px; }
    th, td { padding: 4px 10px; border-bottom: 1px solid var(--line); text-align: left; }
    thead th { color: var(--quiet); font-weight: 600; }
    th, td { white-space: nowrap; }
    tbody th { font-weight: 400; }
    .number { text-align: right; font-variant-numeric: tabular-nums; }
    .words { white-space: normal; overflow-wrap: anywhere; min-width: 10em; max-width: 60ch; }
    .class { white-space: normal; overflow-wrap: anywhere; min-width: 9em; max-width: 24em; }
    .pairs th { white-space: normal; overflow-wrap: normal; max-width: 14em; }
    .pairs .words { min-width: 0; }
    .chosen th, .chosen td { font-weight: 600; background: var(--panel); }
    .bars { min-width: 120px; width: 180px; }
    .bar { display: block; height: 8px; border: 1px solid var(--quiet); }
    .bar + .bar { margin-top: 2px; }
    .bar.plain { background: var(--series-0); border: 0; }
    .bar.before { opacity: 0.5; }
    .swatch {
      display: inline-block; width: 14px; height: 14px; margin-right: 8px;
      border: 1px solid var(--quiet); vertical-align: -2px; flex: none;
    }
    .legend { list-style: none; margin: 0.8em 0; padding: 0; display: flex; flex-wrap: wrap; }
    .legend li { display: flex; align-items: center; margin-right: 16px; font-size: 0.9375em; }
    .grid {
      display: grid; gap: 16px; margin: 0.8em 0;
      grid-template-columns: repeat(auto-fill, minmax(min(100%, 340px), 1fr));
    }
    figure { margin: 0; min-width: 0; }
    figure.chart { padding: 8px; border: 1px solid var(--line); background: var(--panel); }
    img, svg { display: block; width: 100%; height: auto; }
    svg text { fill: currentColor; font: 11px system-ui, sans-serif; }
    svg .axis { stroke: currentColor; stroke-opacity: 0.18; fill: none; }
    svg .mark { stroke: currentColor; stroke-opacity: 0.55; stroke-dasharray: 2 3; }
    svg .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
    svg .faint { stroke-width: 1; stroke-opacity: 0.55; }
    svg .dashed { stroke-dasharray: 6 3; }
    svg .dots { stroke-width: 1.5; }
    .series-0 { stroke: var(--series-0); }
    .series-1 { stroke: var(--series-1); }
    .series-2 { stroke: var(--series-2); }
    circle.series-0 { fill: var(--series-0); }
    circle.series-1 { fill: var(--series-1); }
    circle.series-2 { fill: var(--series-2); }
    .keys span { display: inline-flex; align-items: center; margin-right: 12px; }
    .keys svg { width: 24px; margin-right: 6px; flex: none; }
    """
}

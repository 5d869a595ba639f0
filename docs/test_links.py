"""Fails where a link of the built site, or of a page's source, leads nowhere, where a page loads
something from another machine, or where the reference lacks a function, class or name.

    python3 docs/test_links.py
"""

from __future__ import annotations

import pathlib
import re
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

ROOT = pathlib.Path(__file__).resolve().parents[1]
SITE = ROOT / "build" / "docs" / "site"
MARKDOWN_LINK = re.compile(r"\]\(([^)\s]+)\)")


class Page(HTMLParser):
    """The anchors of a page, what it links to, and what it loads."""

    def __init__(self, path: pathlib.Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif "src" in values:
            self.loads.append(values["src"])
        elif tag == "link" and "href" in values:
            self.loads.append(values["href"])


def site_faults() -> tuple[int, list[str]]:
    pages = {path: Page(path) for path in sorted(SITE.rglob("*.html"))}
    count, faults = 0, []
    for path, page in pages.items():
        for link in page.links + page.loads:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if link in page.loads and parts.scheme != "data":
                    faults.append(f"{path.relative_to(SITE)} loads {link}")
                continue
            count += 1
            target = path.parent / unquote(parts.path) if parts.path else path
            target = (target / "index.html" if target.is_dir() else target).resolve()
            anchor = unquote(parts.fragment)
            if not target.is_file():
                faults.append(f"{path.relative_to(SITE)}: there is no {link}")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                faults.append(f"{path.relative_to(SITE)}: {link}: no such anchor")
    return count, faults


def source_faults() -> tuple[int, list[str]]:
    """Links as GitHub follows them: relative to the file."""
    count, faults = 0, []
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for link in MARKDOWN_LINK.findall(page.read_text(encoding="utf-8")):
            parts = urlsplit(link)
            if parts.scheme or not parts.path:
                continue
            count += 1
            if not (page.parent / unquote(parts.path)).exists():
                faults.append(f"{page.relative_to(ROOT)}: there is no {link}")
    return count, faults


def missing_names() -> tuple[int, list[str]]:
    """What the sources declare, against the anchors of the reference."""
    c, cpp, python = (
        " ".join(sorted(Page(SITE / "reference" / f"{name}.html").anchors))
        for name in ("c", "cpp", "python")
    )
    header = (ROOT / "include" / "das3.h").read_text(encoding="utf-8")
    wrapper = (ROOT / "include" / "das3.hpp").read_text(encoding="utf-8")
    package = (ROOT / "bindings" / "python" / "das3" / "__init__.py").read_text(encoding="utf-8")
    wanted = {f"c.{name}": c for name in re.findall(r"^DAS3_API[^(]*?(\w+)\(", header, re.M)}
    public = re.sub(
        r"^namespace detail \{.*?^\}  // namespace detail", "", wrapper, flags=re.M | re.S
    )
    for name in re.findall(r"^(?:class|struct) (\w+)", public, re.M):
        wanted[f"4das3{len(name)}{name}"] = cpp
    names = re.findall(r'^    "(\w+)",', package.partition("__all__")[2], re.M)
    wanted |= {f"das3.{name}": python for name in names}
    return len(wanted), [
        f"the reference has no {name}" for name in wanted if name not in wanted[name]
    ]


def main() -> int:
    links, faults = site_faults()
    sources, more = source_faults()
    names, missing = missing_names()
    for fault in (*faults, *more, *missing):
        print(fault, file=sys.stderr)
    print(f"{names} names of the sources, {len(missing)} are not in the reference")
    print(
        f"{links} links of the site and {sources} of its sources, {len(faults + more)} lead nowhere"
    )
    return 1 if faults or more or missing or not links else 0


if __name__ == "__main__":
    sys.exit(main())

/// The elements of a buffer that a view covers; it decides whether two writes overlap.
struct Footprint: Equatable {
  /// The lowest element.
  private(set) var start: Int
  /// The axes with more than one element, largest stride first.
  ///
  /// Axes that together cover one regular run of elements are merged.
  private(set) var runs: [Run]
  /// No two positions of the view are the same element.
  private(set) var isInjective: Bool

  struct Run: Equatable {
    var stride: Int
    var count: Int
  }

  enum Relation { case same, disjoint, overlapping }

  init(_ view: Plan.View) {
    start = view.offset
    isInjective = true
    var axes: [Run] = []
    for (size, stride) in zip(view.shape.dims, view.strides) where size > 1 {
      if stride == 0 {
        isInjective = false
      } else {
        if stride < 0 { start += (size - 1) * stride }
        axes.append(Run(stride: abs(stride), count: size))
      }
    }
    axes.sort { $0.stride > $1.stride }
    runs = []
    for axis in axes {
      if let last = runs.last, last.stride == axis.stride * axis.count {
        runs[runs.count - 1] = Run(stride: axis.stride, count: last.count * axis.count)
      } else {
        if let last = runs.last, last.stride < axis.stride * (axis.count - 1) + 1 {
          isInjective = false
        }
        runs.append(axis)
      }
    }
  }

  var elementCount: Int { runs.reduce(1) { $0 * $1.count } }
  private var end: Int { start + runs.reduce(0) { $0 + $1.stride * ($1.count - 1) } + 1 }

  /// `disjoint` and `same` are certain; `overlapping` is also the answer where the relation is
  /// unknown.
  func relation(to other: Footprint) -> Relation {
    if start == other.start, runs == other.runs { return .same }
    if end <= other.start || other.end <= start { return .disjoint }
    // Two slices of the same rows are disjoint where their ranges of channels are.
    guard let (rows, channels) = rows, let (otherRows, otherChannels) = other.rows,
      rows == otherRows, start / rows.stride == other.start / rows.stride,
      !channels.overlaps(otherChannels)
    else { return .overlapping }
    return .disjoint
  }

  /// Rows at a constant distance, and the range of elements within each row; nil for other
  /// patterns.
  private var rows: (Run, Range<Int>)? {
    guard let row = runs.first, row.stride > 1 else { return nil }
    let first = start % row.stride
    switch runs.count {
    case 1: return (row, first..<first + 1)
    case 2 where runs[1].stride == 1 && first + runs[1].count <= row.stride:
      return (row, first..<first + runs[1].count)
    default: return nil
    }
  }
}

// What stands in a street.

/// Something that is painted when everything behind it is.
protocol Thing {
  /// Metres ahead of the camera.
  var distance: Float { get }
  func paint(_ painter: inout Painter)
}

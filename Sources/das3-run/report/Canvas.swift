// Rectangles and text drawn into a frame; what lies outside is cut off.

extension Frame {
  mutating func fill(x: Int, y: Int, width: Int, height: Int, with colour: Colour) {
    for row in max(0, y)..<max(0, y, min(size.height, y + height)) {
      for column in max(0, x)..<max(0, x, min(size.width, x + width)) {
        self[row * size.width + column] = colour
      }
    }
  }

  /// Draws `text` with its upper left corner at `x`, `y`, each pixel of the font `scale` wide.
  mutating func draw(_ text: String, x: Int, y: Int, scale: Int, colour: Colour) {
    for (position, character) in text.enumerated() {
      BitmapFont.pixels(of: character) { column, row in
        fill(
          x: x + (position * BitmapFont.advance + column) * scale, y: y + row * scale,
          width: scale, height: scale, with: colour)
      }
    }
  }
}

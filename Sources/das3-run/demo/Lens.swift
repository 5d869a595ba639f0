// A painted scene in, the frame that a camera would take of it out.

/// The lens and the sensor between a street and its picture.
struct Lens {
  /// Samples per pixel in each direction; odd, so that one is in the pixel's middle.
  static let fineness = 3

  let look: Look

  /// Draws the noise of one exposure; fills `frame` and returns the class in the middle of each
  /// pixel.
  func develop(
    _ raster: Raster, size: PixelSize, _ random: inout SplitMix64, into frame: inout Frame
  ) -> [UInt8] {
    let exposure = random.within(look.exposure)
    let contrast = random.within(look.contrast)
    let noise = random.within(look.noise)
    frame.resize(to: size)
    var truth = [UInt8](repeating: 0, count: size.pixelCount)
    var picture = [Ink](repeating: .zero, count: size.pixelCount)
    let middle = Point(Float(size.width), Float(size.height)) / 2
    let reach = 1 / (middle * middle).sum()
    for row in 0..<size.height {
      for column in 0..<size.width {
        let place = Point(Float(column), Float(row)) + 0.5 - middle
        let radius = (place * place).sum() * reach
        let bent = middle + place * ((1 + look.distortion * radius) / (1 + look.distortion))
        let x = min(Int(bent.x * Float(Self.fineness)), raster.width - 2)
        let y = min(Int(bent.y * Float(Self.fineness)), raster.height - 2)
        let index = row * size.width + column
        truth[index] = raster.labels[y * raster.width + x]
        picture[index] = raster.mean(around: max(x, 1), max(y, 1)) * (1.04 - 0.12 * radius)
      }
    }
    if look.bloom > 0 { spread(&picture, size) }
    for index in 0..<size.pixelCount {
      var ink = picture[index] * exposure
      ink.clamp(lowerBound: .zero, upperBound: .one)
      let curved = ink * ink * (3 - 2 * ink)
      ink = ink.mixed(with: curved, contrast)
      let grain = random.unit() + random.unit() - 1
      let colour = Ink(random.unit(), random.unit(), random.unit()) - 0.5
      ink += (grain * 1.6 + colour) * noise
      ink.clamp(lowerBound: .zero, upperBound: .one)
      for channel in 0..<3 { frame.pixels[index * 3 + channel] = UInt8(ink[channel] * 255 + 0.5) }
    }
    return truth
  }

  /// Blurs the light above white three times and adds it to the picture.
  private func spread(_ picture: inout [Ink], _ size: PixelSize) {
    var light = picture.map { ink in
      var over = ink - 0.85
      over.clamp(lowerBound: .zero, upperBound: Ink(repeating: 2))
      return over
    }
    let radius = size.width / 64
    for _ in 0..<3 {
      for row in 0..<size.height {
        blur(&light, from: row * size.width, step: 1, count: size.width, radius)
      }
      for column in 0..<size.width {
        blur(&light, from: column, step: size.width, count: size.height, radius)
      }
    }
    for index in picture.indices { picture[index] += light[index] * look.bloom }
  }

  /// Replaces each ink of a row or column with the mean of the inks around it.
  private func blur(
    _ inks: inout [Ink], from start: Int, step: Int, count: Int, _ radius: Int
  ) {
    let line = (0..<count).map { inks[start + $0 * step] }
    var sum = Ink.zero
    for place in 0..<min(radius, count) { sum += line[place] }
    for place in 0..<count {
      if place + radius < count { sum += line[place + radius] }
      if place > radius { sum -= line[place - radius - 1] }
      inks[start + place * step] = sum / Float(2 * radius + 1)
    }
  }
}

extension Raster {
  /// The mean of three by three samples.
  @inline(__always)
  func mean(around column: Int, _ row: Int) -> Ink {
    var sum = Ink.zero
    for y in row - 1...row + 1 {
      let start = y * width + column
      sum += inks[start - 1] + inks[start] + inks[start + 1]
    }
    return sum / 9
  }
}

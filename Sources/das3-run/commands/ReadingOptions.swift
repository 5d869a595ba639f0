// The options that say how frames are read.
import ArgumentParser

struct ReadingOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Turn frames upright as their EXIF orientation or display matrix says.")
  var autorotate = true

  @Flag(help: "Leave out images of a directory that cannot be read; else the first is the end.")
  var keepGoing = false
}

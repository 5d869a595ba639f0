// The option of commands that run a network on frames.
import ArgumentParser

struct SizeOption: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      """
      Size the network works on, WIDTHxHEIGHT. Default: the model's own, or else the first \
      frame's, but at most about a megapixel, rounded to what the model takes. Labels always \
      have the frame's size.
      """, valueName: "WxH"),
    transform: PixelSize.init(argument:))
  var size: PixelSize?
}

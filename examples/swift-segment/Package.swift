// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "swift-segment",
  dependencies: [.package(url: "https://example.org/libdas3.git", from: "0.1.0")],
  targets: [
    .executableTarget(
      name: "swift-segment", dependencies: [.product(name: "das3", package: "libdas3")])
  ]
)

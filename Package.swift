// swift-tools-version: 6.2
// Targets in the order of the data: files → bytes → records → graph → plan → tensors → C → command
// line.
import PackageDescription

let swiftSettings: [SwiftSetting] = [.strictMemorySafety()]

#if arch(x86_64)
  let convolutionLibraries: [LinkerSetting] = [
    .linkedLibrary("dnnl"), .linkedLibrary("openblas"), .linkedLibrary("gomp"),
  ]
#else
  let convolutionLibraries: [LinkerSetting] = [.linkedLibrary("openblas")]
#endif

let package = Package(
  name: "libdas3",
  products: [
    .library(name: "das3", type: .dynamic, targets: ["Das3"]),
    .executable(name: "das3-run", targets: ["das3-run"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
  ],
  targets: [
    .systemLibrary(name: "CDas3", path: "include"),
    .target(name: "CDigest"),
    .target(name: "Das3Files", dependencies: ["CDigest"], swiftSettings: swiftSettings),
    .target(
      name: "COnnx",
      linkerSettings: [
        .linkedLibrary("onnx"), .linkedLibrary("onnx_proto"), .linkedLibrary("protobuf"),
        .linkedLibrary("stdc++"),
      ]),
    .target(name: "CReserve"),
    .target(
      name: "CKernels", cSettings: [.headerSearchPath(".")], linkerSettings: convolutionLibraries),
    .target(
      name: "Das3Graph", dependencies: ["COnnx", "CReserve", "Das3Files"],
      swiftSettings: swiftSettings),
    .target(
      name: "Das3Runtime", dependencies: ["CKernels", "Das3Graph"], swiftSettings: swiftSettings),
    .target(
      name: "Das3Adapt", dependencies: ["CKernels", "Das3Files", "Das3Graph", "Das3Runtime"],
      swiftSettings: swiftSettings),
    .target(
      name: "Das3", dependencies: ["CDas3", "Das3Adapt", "Das3Graph", "Das3Runtime"],
      exclude: ["exports.map"], swiftSettings: swiftSettings),
    .systemLibrary(
      name: "CFFmpeg", pkgConfig: "libavformat libavcodec libswscale libavutil",
      providers: [.apt(["libavformat-dev", "libavcodec-dev", "libswscale-dev", "libavutil-dev"])]),
    .target(name: "CStreet"),
    .executableTarget(
      name: "das3-run",
      dependencies: [
        "CDas3", "CFFmpeg", "CStreet", "Das3",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: swiftSettings),
    .target(
      name: "Das3TestSupport", dependencies: ["COnnx", "Das3Graph", "Das3Runtime"],
      path: "Tests/Das3TestSupport"),
    .testTarget(name: "CKernelsTests", dependencies: ["CKernels", "Das3TestSupport"]),
    .testTarget(name: "COnnxTests", dependencies: ["COnnx", "Das3TestSupport"]),
    .testTarget(name: "Das3GraphTests", dependencies: ["Das3Graph", "Das3TestSupport"]),
    .testTarget(
      name: "Das3RuntimeTests",
      dependencies: ["CKernels", "Das3Graph", "Das3Runtime", "Das3TestSupport"]),
    .testTarget(
      name: "Das3AdaptTests",
      dependencies: ["CKernels", "Das3Adapt", "Das3Graph", "Das3Runtime", "Das3TestSupport"]),
    .testTarget(name: "Das3Tests", dependencies: ["CDas3", "Das3", "Das3TestSupport"]),
  ],
  cxxLanguageStandard: .cxx17
)

// Tests/Arm64/run.sh builds it, and tells the linker which calls are recorded.
if Context.environment["DAS3_TAPE"] != nil {
  package.targets += [
    .target(
      name: "CTape", dependencies: ["CKernels"], path: "Tests/Arm64/Tape"),
    .executableTarget(
      name: "das3-tape", dependencies: ["CTape", "Das3Graph", "Das3Runtime", "Das3TestSupport"],
      path: "Tests/Arm64/Record"),
  ]
}

// Tests/Fuzz/run.sh builds it with libFuzzer, which brings `main`.
if Context.environment["DAS3_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "das3-fuzz", dependencies: ["CDas3", "Das3", "Das3TestSupport"], path: "Tests/Fuzz",
      exclude: ["corpus.txt", "run.sh"]))
}

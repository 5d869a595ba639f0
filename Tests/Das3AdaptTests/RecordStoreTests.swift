import Das3Adapt
import Das3Graph
import Das3TestSupport
import Foundation
import Testing

/// Labels on disk.
@Suite("Labels on disk")
struct RecordStoreTests {
  @Test("files that may not grow are a status, not a signal")
  func fileSizeLimit() async {
    await #expect(processExitsWith: .success) {
      guard let folder = try? TemporaryFolder() else { exit(3) }
      var limit = rlimit(rlim_cur: 1000, rlim_max: .max)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      func make() throws(Das3Error) -> PseudoLabels {
        let store = try LabelStore(
          frameCount: 4, shape: [1, 5, 32, 48], memoryLimit: 0, directory: folder.path(""))
        return try PseudoLabels(in: store, share: 0.5) { _, _ in }
      }
      do throws(Das3Error) {
        _ = try make()
        exit(4)
      } catch {
        let isSaid = error.code == .io && error.message.contains("1000 bytes")
        #expect(isSaid, "\(error)")
      }
      limit.rlim_cur = .max
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      #expect(throws: Never.self) { try make() }
    }
  }
}

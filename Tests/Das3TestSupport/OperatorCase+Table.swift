extension OperatorCase {
  /// Every case by topic; `Cases/<Topic>Cases.swift`.
  package static let table: [OperatorCase] = [
    convCases, fusionCases, convTransposeCases, poolCases, normalizationCases, unaryCases,
    binaryCases, reductionCases, resizeCases, samplingCases, quantizationCases,
    concatCases, movementCases, reshapeCases,
    productCases, shapeCases, networkCases, largeCases,
  ].flatMap(\.self)
}

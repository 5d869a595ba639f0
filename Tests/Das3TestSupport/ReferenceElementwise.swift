import Foundation

extension Reference {
  static let unaries: [String: Body] = [
    "Relu": unary { max($0, 0) },
    "LeakyRelu": { node in
      let alpha = node.float("alpha", 0.01)
      return [node.x.map { $0 < 0 ? alpha * $0 : $0 }]
    },
    "Elu": { node in
      let alpha = node.float("alpha", 1)
      return [node.x.map { $0 < 0 ? alpha * expm1($0) : $0 }]
    },
    "Selu": { node in
      let alpha = node.float("alpha", 1.6732632)
      let gamma = node.float("gamma", 1.0507010)
      return [node.x.map { gamma * ($0 <= 0 ? alpha * expm1($0) : $0) }]
    },
    "Clip": { node in
      let low = node.optional(1)?.values[0] ?? node.float("min", -.greatestFiniteMagnitude)
      let high = node.optional(2)?.values[0] ?? node.float("max", .greatestFiniteMagnitude)
      return [node.x.map { min(max($0, low), high) }]
    },
    "HardSigmoid": { node in
      let (alpha, beta) = (node.float("alpha", 0.2), node.float("beta", 0.5))
      return [node.x.map { max(0, min(1, alpha * $0 + beta)) }]
    },
    "HardSwish": unary { $0 == -.infinity ? 0 : $0 * max(0, min(1, $0 / 6 + 0.5)) },
    "Sigmoid": unary { 1 / (1 + exp(-$0)) },
    "Tanh": unary { tanh($0) },
    "Softplus": unary { softplus($0) },
    "Softsign": unary { $0 / (1 + Swift.abs($0)) },
    "Mish": unary { $0 * tanh(softplus($0)) },
    "Erf": unary { erf($0) },
    "Gelu": { node in
      if node.string("approximate", "none") == "tanh" {
        return [
          node.x.map {
            0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0)))
          }
        ]
      }
      return [node.x.map { 0.5 * $0 * erfc(-$0 / 2.0.squareRoot()) }]
    },
    "Exp": unary { exp($0) }, "Log": unary { log($0) }, "Sqrt": unary { $0.squareRoot() },
    "Sin": unary { sin($0) }, "Cos": unary { cos($0) },
    "Abs": unary { Swift.abs($0) }, "Neg": unary { -$0 }, "Reciprocal": unary { 1 / $0 },
    "Floor": unary { $0.rounded(.down) }, "Ceil": unary { $0.rounded(.up) },
    "Round": unary { $0.rounded(.toNearestOrEven) },
    "Sign": unary { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 },
    "Not": unary { $0 == 0 ? 1 : 0 },
    "Cast": { node in
      [
        cast(
          node.x, isInteger: [6, 7, 9].contains(node.int("to", 1)), isBool: node.int("to", 1) == 9)
      ]
    },
    "CastLike": { node in [cast(node.x, isInteger: node[1].isInteger, isBool: false)] },
  ]

  static let binaries: [String: Body] = [
    "Add": binary { $0 + $1 }, "Sub": binary { $0 - $1 }, "Mul": binary { $0 * $1 },
    "Pow": binary { pow($0, $1) }, "PRelu": binary { $0 < 0 ? $0 * $1 : $0 },
    "Div": { node in
      let isInteger = node.x.isInteger && node[1].isInteger
      return [
        broadcast([node.x, node[1]]) {
          isInteger ? ($0[0] / $0[1]).rounded(.towardZero) : $0[0] / $0[1]
        }
      ]
    },
    "Mod": { node in
      let isC = node.int("fmod", 0) != 0
      return [
        broadcast([node.x, node[1]]) {
          isC ? fmod($0[0], $0[1]) : $0[0] - $0[1] * ($0[0] / $0[1]).rounded(.down)
        }
      ]
    },
    "Equal": comparison { $0 == $1 }, "Less": comparison { $0 < $1 },
    "Greater": comparison { $0 > $1 }, "LessOrEqual": comparison { $0 <= $1 },
    "GreaterOrEqual": comparison { $0 >= $1 },
    "And": comparison { $0 != 0 && $1 != 0 }, "Or": comparison { $0 != 0 || $1 != 0 },
    "Xor": comparison { ($0 != 0) != ($1 != 0) },
    "Min": { node in
      [broadcast(node.inputs.compactMap(\.self)) { $0.reduce(.infinity) { min($0, $1) } }]
    },
    "Max": { node in
      [broadcast(node.inputs.compactMap(\.self)) { $0.reduce(-.infinity) { max($0, $1) } }]
    },
    "Sum": { node in [broadcast(node.inputs.compactMap(\.self)) { $0.reduce(0, +) }] },
    "Mean": { node in
      [broadcast(node.inputs.compactMap(\.self)) { $0.reduce(0, +) / Double($0.count) }]
    },
    "Where": { node in
      var y = broadcast([node.x, node[1], node[2]]) { $0[0] != 0 ? $0[1] : $0[2] }
      y.isInteger = node[1].isInteger
      return [y]
    },
  ]

  private static func softplus(_ x: Double) -> Double { x > 30 ? x : log1p(exp(x)) }

  private static func cast(_ x: ReferenceTensor, isInteger: Bool, isBool: Bool) -> ReferenceTensor {
    x.map(isInteger: isInteger) {
      isBool ? ($0 != 0 ? 1 : 0) : isInteger ? $0.rounded(.towardZero) : $0
    }
  }

  private static func unary(_ body: @escaping @Sendable (Double) -> Double) -> Body {
    { node in [node.x.map(body)] }
  }

  private static func binary(_ body: @escaping @Sendable (Double, Double) -> Double) -> Body {
    { node in [broadcast([node.x, node[1]]) { body($0[0], $0[1]) }] }
  }

  private static func comparison(_ body: @escaping @Sendable (Double, Double) -> Bool) -> Body {
    { node in
      var y = broadcast([node.x, node[1]]) { body($0[0], $0[1]) ? 1 : 0 }
      y.isInteger = true
      return [y]
    }
  }

  private static func broadcast(_ all: [ReferenceTensor], _ body: ([Double]) -> Double)
    -> ReferenceTensor
  {
    let dims = ReferenceTensor.broadcastDims(all.map(\.dims))
    let operands = all.map { $0.broadcast(to: dims) }
    var arguments = [Double](repeating: 0, count: all.count)
    let values = (0..<dims.reduce(1, *)).map { index in
      for (position, operand) in operands.enumerated() { arguments[position] = operand[index] }
      return body(arguments)
    }
    return ReferenceTensor(dims, values, isInteger: all[0].isInteger)
  }
}

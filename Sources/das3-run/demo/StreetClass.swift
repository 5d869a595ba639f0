// What there is to see in the street world.

/// Raw values are the class numbers of truth and network.
enum StreetClass: UInt8, CaseIterable {
  case road, pavement, building, pole, sign, vegetation, sky, person, car
}

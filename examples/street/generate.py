"""Draws street scenes as a dashcam would see them: seed in, RGB frame and exact class labels out.

Metres in a road frame (x right, y up, z ahead of the camera) are projected through a pinhole;
everything is painted from far to near, three times as fine as the frame, into picture and labels.
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CLASSES = ["road", "pavement", "building", "pole", "sign", "vegetation", "sky", "person", "car"]
ROAD, PAVEMENT, BUILDING, POLE, SIGN, VEGETATION, SKY, PERSON, CAR = range(len(CLASSES))
COLOURS = [[128, 64, 128], [244, 35, 232], [110, 90, 80], [153, 153, 153], [220, 220, 0],
           [107, 142, 35], [70, 130, 180], [220, 20, 60], [0, 0, 142]]
HEIGHT, WIDTH, FINE = 240, 320, 3
GRAIN = np.array([.035, .035, .03, .03, .02, .13, .0, .04, .025], np.float32)

BRICKS = [(168, 112, 88), (196, 172, 140), (214, 204, 186), (150, 138, 128), (186, 142, 104),
          (128, 96, 84), (204, 188, 148), (172, 180, 184), (222, 196, 168)]
PAINTS = [(178, 34, 38), (32, 62, 122), (218, 220, 222), (44, 46, 50), (120, 124, 128),
          (236, 190, 60), (40, 98, 74), (96, 144, 186), (150, 76, 40)]
CLOTHES = [(54, 66, 110), (150, 44, 48), (40, 42, 46), (206, 200, 190), (66, 104, 76),
           (208, 148, 52), (110, 78, 132), (88, 92, 100), (60, 130, 160)]


class Scene:
  """One street: camera, light, and what stands along the road."""

  def __init__(self, seed):
    self.rng = rng = np.random.default_rng(seed)
    self.horizon = rng.uniform(.42, .5) * HEIGHT
    self.focal = rng.uniform(.8, 1.0) * WIDTH
    self.eye = rng.uniform(1.3, 1.7)
    self.curve = rng.normal(0, 4e-4)
    self.lane = rng.uniform(3.1, 3.7)
    self.drift = rng.uniform(-.5, .5) - .5 * self.lane  # the camera drives on the right
    self.half = self.lane * rng.choice([1.0, 1.0, 1.6])
    self.walk = rng.uniform(2.2, 4.2)
    self.light = rng.uniform(.85, 1.1) * np.array([1, rng.uniform(.95, 1), rng.uniform(.86, 1.04)])
    self.sun = rng.choice([-1, 1])
    self.haze = np.array([206, 214, 224]) * rng.uniform(.86, 1.04)
    self.clear = rng.uniform(90, 320)  # metres of visibility
    self.picture = Image.new("RGB", (WIDTH * FINE, HEIGHT * FINE))
    self.labels = Image.new("L", self.picture.size, SKY)
    self.ink = ImageDraw.Draw(self.picture, "RGBA")
    self.mark = ImageDraw.Draw(self.labels)
    self.sky()
    self.ground()
    for _, paint in sorted(self.things(), key=lambda thing: -thing[0]):
      paint()

  # Painting -----------------------------------------------------------------------------

  def at(self, x, y, z):
    """Projects a point of the road frame to fine pixels."""
    z = max(z, .6)
    column = WIDTH / 2 + self.focal * (x + self.drift + self.curve * z * z) / z
    return FINE * column, FINE * (self.horizon + self.focal * (self.eye - y) / z)

  def tone(self, colour, z, shade=1.0):
    """A surface colour under this light, fading into the haze with distance."""
    near = np.exp(-z / self.clear)
    lit = np.asarray(colour) * self.light * shade
    return tuple(int(v) for v in np.clip(near * lit + (1 - near) * self.haze, 0, 255))

  def fill(self, points, colour, label):
    """A polygon in fine pixels; label None leaves the labels as they are."""
    self.ink.polygon(points, fill=colour)
    if label is not None:
      self.mark.polygon(points, fill=label)

  def disc(self, centre, rx, ry, colour, label):
    box = [centre[0] - rx, centre[1] - ry, centre[0] + rx, centre[1] + ry]
    self.ink.ellipse(box, fill=colour)
    if label is not None:
      self.mark.ellipse(box, fill=label)

  def face(self, corners, colour, label, shade=1.0):
    """A polygon given by points of the road frame."""
    z = sum(c[2] for c in corners) / len(corners)
    self.fill([self.at(*c) for c in corners], self.tone(colour, z, shade), label)

  def strip(self, left, right, z0, z1, colour, label):
    """A piece of ground between two distances from the middle of the road."""
    stops = np.geomspace(z0, z1, max(2, int(6 * np.log(z1 / z0))))
    for near, far in zip(stops, stops[1:]):
      self.face([(left, 0, near), (right, 0, near), (right, 0, far), (left, 0, far)], colour, label)

  def shadow(self, x, z, rx, rz):
    """A soft dark patch on the ground."""
    for grow in (1.15, 1.0, .8):
      turn = np.linspace(0, 2 * np.pi, 15)
      ring = [self.at(x + grow * rx * np.cos(a), 0, z + grow * rz * np.sin(a)) for a in turn]
      self.fill(ring, (12, 14, 22, 46), None)

  # Sky and ground -----------------------------------------------------------------------

  def sky(self):
    rng = self.rng
    top = np.array([rng.uniform(60, 130), rng.uniform(120, 165), rng.uniform(180, 225)])
    down = np.linspace(0, 1, HEIGHT)[:, None, None] / (self.horizon / HEIGHT)
    sky = top + (self.haze - top) * np.clip(down, 0, 1) ** .8
    cloud = clouds(rng, (HEIGHT, WIDTH), 40) + .5 * clouds(rng, (HEIGHT, WIDTH), 14)
    cover = np.clip((cloud + rng.uniform(-.9, .5)) * .9, 0, .9)[..., None]
    sky = sky + cover * (np.array([244, 244, 246]) * rng.uniform(.82, 1) - sky)
    sky = Image.fromarray(np.clip(sky, 0, 255).astype(np.uint8))
    self.picture.paste(sky.resize(self.picture.size, Image.BILINEAR))

  def ground(self):
    rng = self.rng
    edge, far = self.half + self.walk, 400
    self.grass = rng.choice([True, False], p=[.45, .55])
    slabs = np.array((158, 152, 146)) * rng.uniform(.82, 1.12)
    asphalt = np.array((94, 94, 98)) * rng.uniform(.72, 1.18)
    outer = ((92, 118, 56), VEGETATION) if self.grass else (slabs * .9, PAVEMENT)
    self.strip(-400, 400, .6, far, *outer)
    self.strip(-edge, edge, .6, far, slabs, PAVEMENT)
    for z in np.arange(1.5, 40, 1.5):
      for side in (-1, 1):
        a, b = sorted((side * self.half, side * edge))
        self.strip(a, b, z, z + .06, slabs * .84, None)
    for side in (-1, 1):
      middle = side * (self.half + self.walk / 2)
      self.strip(middle - .03, middle + .03, .6, 40, slabs * .84, None)
    self.strip(-self.half - .18, self.half + .18, .6, far, slabs * 1.2, PAVEMENT)
    self.strip(-self.half, self.half, .6, far, asphalt, ROAD)
    for _ in range(rng.integers(0, 5)):  # repairs
      x, z, long = rng.uniform(-self.half, self.half - 1), rng.uniform(3, 30), rng.uniform(2, 8)
      self.strip(x, x + rng.uniform(.4, 1), z, z + long, asphalt * rng.uniform(.8, 1.1), None)
    paint = np.array((226, 226, 220)) * rng.uniform(.85, 1.05)
    for z in np.arange(rng.uniform(-6, 0), 110, 7.5):
      if z + 3 > 1:
        self.strip(-.07, .07, max(z, .7), z + 3, paint, None)
    if rng.random() < .6:
      for side in (-1, 1):
        x = side * (self.half - .3)
        self.strip(x - .06, x + .06, .6, 150, paint, None)
    self.zebra = rng.uniform(9, 26) if rng.random() < .4 else None
    if self.zebra:
      for x in np.arange(-self.half + .3, self.half - .5, 1.0):
        self.strip(x, x + .5, self.zebra, self.zebra + 3.2, paint, None)
    if rng.random() < .6:  # the houses' shadow
      reach = rng.uniform(.2, 1.2) * self.half
      a, b = sorted((self.sun * 60, self.sun * (self.half - reach)))
      stops = np.geomspace(.6, 200, 30)
      jag = [b if self.sun < 0 else a] * len(stops) + np.repeat(rng.uniform(-1.2, 1.2, 10), 3)
      rim = [self.at(x, 0, z) for x, z in zip(jag, stops)]
      self.fill(rim + [self.at(self.sun * 60, 0, z) for z in stops[::-1]], (14, 18, 34, 70), None)

  # Things -------------------------------------------------------------------------------

  def things(self):
    """Everything that stands on the ground, as (distance, paint)."""
    rng, edge = self.rng, self.half + self.walk
    found = []

    def put(z, paint, *arguments):
      found.append((z, lambda: paint(*arguments)))

    for side in (-1, 1):
      z = rng.uniform(-4, 6)
      while z < 170:  # rows of houses, with gaps for trees
        deep = rng.uniform(7, 17)
        back = edge + (rng.uniform(2.5, 9) if self.grass else rng.uniform(0, .6))
        if rng.random() < (.7 if self.grass else .92):
          put(z + deep, self.house, side, back, max(z, 1.2), z + deep)
        else:
          for _ in range(4):
            put(z + deep, self.tree, side * (back + rng.uniform(1, 9)), z + rng.uniform(0, deep))
        if self.grass and rng.random() < .5:
          put(z + deep / 2, self.hedge, side * (edge + .6), max(z, 2), z + deep)
        z += deep + (rng.uniform(2, 12) if self.grass else rng.choice([0, 0, rng.uniform(2, 7)]))
      for z in np.arange(rng.uniform(4, 18), 130, rng.uniform(9, 22)):
        x = side * (self.half + .7)
        if rng.random() < .65:
          put(z, self.tree, side * (self.half + rng.uniform(.9, 1.6)), z)
        if rng.random() < .6:
          put(z + 3, self.lamp, x, z + 3, -side)
        if rng.random() < .6:
          put(z + 5, self.sign, x, z + 5)
      for z in np.arange(rng.uniform(4, 14), 90, 6):  # parked or driving
        if rng.random() < .42:
          x = side * (self.half - 1.15 if rng.random() < .6 else self.lane / 2)
          put(z, self.car, x, z + rng.uniform(0, 1.5))
    for _ in range(rng.integers(3, 11)):
      z = rng.uniform(5, 42)
      x = rng.choice([-1, 1]) * rng.uniform(self.half + .5, edge - .3)
      if rng.random() < .2:
        z, x = self.zebra or z, rng.uniform(-self.half, self.half)
      put(z, self.person, x, z)
    return found

  def house(self, side, back, z0, z1):
    rng = self.rng
    floor, floors = rng.uniform(2.9, 3.6), rng.integers(2, 7)
    high = floor * floors + .6
    wall = np.array(BRICKS[rng.integers(len(BRICKS))]) * rng.uniform(.85, 1.1)
    x = side * back
    front, end = (.68, 1.0) if side == self.sun else (1.06, .74)
    deep = side * (back + rng.uniform(8, 12))
    roof = wall * .62 if rng.random() < .5 else np.array((122, 66, 52))
    if rng.random() < .4:  # a gable towards us
      self.face([(x, high, z0), ((x + deep) / 2, high + 3, z0), (deep, high, z0)], wall, BUILDING,
                end)
      top = [(x, high, z0), ((x + deep) / 2, high + 3, z0), ((x + deep) / 2, high + 3, z1)]
      self.face(top + [(x, high, z1)], roof, BUILDING, front)
    self.face([(x, 0, z0), (deep, 0, z0), (deep, high, z0), (x, high, z0)], wall, BUILDING, end)
    self.face([(x, 0, z0), (x, 0, z1), (x, high, z1), (x, high, z0)], wall, BUILDING, front)
    self.face([(x, high - .4, z0), (x, high - .4, z1), (x, high, z1), (x, high, z0)], wall * 1.18,
              BUILDING, front)
    self.face([(x, 0, z0), (x, 0, z1), (x, .7, z1), (x, .7, z0)], wall * .7, BUILDING, front)
    pitch, wide, tall = rng.uniform(1.9, 3.2), rng.uniform(.9, 1.4), rng.uniform(1.3, 1.8)
    shop = rng.random() < .4
    awning = np.array(PAINTS[rng.integers(len(PAINTS))])
    if z0 > 90:
      return
    for level in range(floors):
      y = level * floor + (.5 if level == 0 and shop else 1.0)
      up = y + (2.1 if level == 0 and shop else tall)
      for z in np.arange(z0 + .6, z1 - wide, pitch):
        pane = np.array((62, 74, 92)) * rng.uniform(.7, 1.5)
        self.pane((x, y, z), (x, up, z + wide), pane, wall * 1.25, front)
      for along in np.arange(.8, abs(deep - x) - wide, pitch):
        a = x + side * along
        pane = np.array((62, 74, 92)) * rng.uniform(.7, 1.5)
        self.pane((a, y, z0), (a + side * wide, up, z0), pane, wall * 1.25, end)
    if shop:
      out = x - side * .9
      self.face([(x, 3.0, z0), (x, 3.0, z1), (out, 2.5, z1), (out, 2.5, z0)], awning, BUILDING)

  def pane(self, low, high, glass, frame, shade):
    """A window in an upright wall, between two opposite corners."""
    (xa, ya, za), (xb, yb, zb) = low, high
    self.face([(xa, ya - .1, za), (xb, ya - .1, zb), (xb, yb, zb), (xa, yb, za)], frame, None,
              shade)
    self.face([(xa, ya, za), (xb, ya, zb), (xb, yb, zb), (xa, yb, za)], glass, None, shade)
    if za < 25:
      middle, half = (ya + yb) / 2, .03
      self.face([(xa, middle - half, za), (xb, middle - half, zb), (xb, middle + half, zb),
                 (xa, middle + half, za)], frame, None, shade)

  def leaves(self, x, y, z, rx, ry, green, count):
    """A cloud of round leaves, darker below and away from the sun."""
    rng, scale = self.rng, FINE * self.focal / max(z, .6)
    cx, cy = self.at(x, y, z)
    for i in range(count):
      a, r = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random()) * .8
      dx, dy = np.cos(a) * r, np.sin(a) * r
      size = rng.uniform(.22, .42) * min(rx, ry) * scale
      shade = (.62 + .5 * i / count) * (1 + .2 * dy) * (1 - .14 * self.sun * dx)
      centre = cx + dx * rx * scale, cy - dy * ry * scale
      self.disc(centre, size, size * .9, self.tone(green, z, shade * rng.uniform(.88, 1.1)),
                VEGETATION)

  def tree(self, x, z):
    rng = self.rng
    tall, wide = rng.uniform(4.5, 9), rng.uniform(1.3, 2.6)
    green = np.array((86, 122, 52)) * rng.uniform(.75, 1.15) + [rng.uniform(-12, 30), 0, 0]
    self.shadow(x + self.sun * -.8, z, wide, wide * .8)
    self.face([(x - .16, 0, z), (x + .16, 0, z), (x + .1, tall * .7, z), (x - .1, tall * .7, z)],
              (92, 74, 58), VEGETATION)
    self.leaves(x, tall * .72, z, wide, tall * .34, green, 70 if z < 30 else 34)

  def hedge(self, x, z0, z1):
    green = np.array((74, 110, 50)) * self.rng.uniform(.8, 1.15)
    for z in np.arange(min(z1, 60), z0, -1.0):
      self.leaves(x, .55, z, .8, .55, green, 12)

  def lamp(self, x, z, towards):
    metal, y = np.array((104, 108, 112)) * self.rng.uniform(.7, 1.3), self.rng.uniform(5, 7)
    arm = x + towards * 1.5
    self.shadow(x, z, .3, .3)
    self.face([(x - .1, 0, z), (x + .1, 0, z), (x + .07, y, z), (x - .07, y, z)], metal, POLE)
    self.face([(x, y - .1, z), (arm, y + .25, z), (arm, y + .4, z), (x, y + .04, z)], metal, POLE)
    self.face([(arm, y + .2, z), (arm - towards * .7, y + .05, z), (arm - towards * .7, y + .25, z),
               (arm, y + .44, z)], metal * 1.4, POLE)

  def sign(self, x, z):
    rng = self.rng
    metal, y, size = np.array((126, 128, 130)), rng.uniform(2.3, 2.9), rng.uniform(.34, .5)
    self.shadow(x, z, .2, .2)
    self.face([(x - .06, 0, z), (x + .06, 0, z), (x + .06, y, z), (x - .06, y, z)], metal, POLE)
    kind = rng.integers(5)
    if kind == 4:  # traffic light
      s = .3
      self.face([(x - s, y - .5, z), (x + s, y - .5, z), (x + s, y + .9, z), (x - s, y + .9, z)],
                (34, 36, 38), SIGN)
      on = rng.integers(3)
      for i, lamp in enumerate([(70, 220, 120), (250, 190, 50), (240, 60, 44)]):
        r = FINE * self.focal / z * .17
        self.disc(self.at(x, y - .25 + i * .44, z), r, r, self.tone(lamp, z, 1 if i == on else .3),
                  SIGN)
      return
    edges, rim, inside = [(18, (196, 30, 36), (238, 236, 230)), (3, (196, 30, 36), (238, 236, 230)),
                          (18, (34, 82, 170), (48, 104, 196)), (4, (238, 236, 230), (232, 176, 40))
                          ][kind]
    turn = np.linspace(0, 2 * np.pi, edges, endpoint=False) + (np.pi / 2)
    for grow, colour in ((1.0, rim), (.74, inside)):
      ring = [(x + grow * size * np.cos(a), y + grow * size * np.sin(a), z) for a in turn]
      self.face(ring, colour, SIGN)
    bar = size * .4
    self.face([(x - bar, y - .05, z), (x + bar, y - .05, z), (x + bar, y + .05, z),
               (x - bar, y + .05, z)], (40, 42, 48), None)

  def car(self, x, z):
    rng = self.rng
    paint = np.array(PAINTS[rng.integers(len(PAINTS))]) * rng.uniform(.85, 1.1)
    half, long, high = rng.uniform(.86, .96), rng.uniform(3.9, 4.7), rng.uniform(1.4, 1.6)
    van, away = rng.random() < .18, x > 0
    if van:
      high, long = high * 1.4, long * 1.15
    near = -1 if x + self.drift + self.curve * z * z > 0 else 1  # the side we see
    s, waist = x + near * half, .92 if not van else 1.15
    self.shadow(x, z + long / 2, half * 1.25, long * .56)
    for wheel in (z + long - .8, z + .8):
      rim = [(s, .32 + .34 * np.sin(a), wheel + .34 * np.cos(a))
             for a in np.linspace(0, 2 * np.pi, 14)]
      self.face(rim, (26, 26, 28), CAR)
    tail = 0.15 if van else .55
    side = .8 if near == self.sun else 1.0
    nose = long - (.7 if van else 1.25)
    body = [(s, .3, z), (s, .3, z + long), (s, waist * .82, z + long), (s, waist, z + nose),
            (s, waist, z)]
    roof = x + near * half * .84
    self.face(body, paint, CAR, side)
    cabin = [(s, waist, z), (s, waist, z + nose), (roof, high, z + nose - .6),
             (roof, high, z + tail)]
    self.face(cabin, paint, CAR, side * .95)
    glass = [(s, waist + .04, z + tail), (s, waist + .04, z + nose - .25),
             (roof, high - .1, z + nose - .65), (roof, high - .1, z + tail + .25)]
    self.face(glass, (44, 54, 66), CAR, side)
    for wheel in (z + long - .8, z + .8):
      for grow, colour in ((.3, (24, 24, 26)), (.18, (150, 152, 156))):
        rim = [(s, .3 + grow * np.sin(a), wheel + grow * np.cos(a))
               for a in np.linspace(0, 2 * np.pi, 14)]
        self.face(rim, colour, CAR)

    def back(x0, x1, y0, y1, colour, z_low=0.0, z_high=0.0, narrow=1.0):
      self.face([(x + x0, y0, z + z_low), (x + x1, y0, z + z_low),
                 (x + x1 * narrow, y1, z + z_high), (x + x0 * narrow, y1, z + z_high)], colour, CAR)

    for wheel in (-half + .18, half - .18):
      back(wheel - .12, wheel + .12, 0, .4, (24, 24, 26))
    back(-half, half, .28, waist, paint * .9)
    back(-half, half, waist, high, paint * .9, .0, tail, .84)
    back(-half * .84, half * .84, waist + .06, high - .1, (40, 50, 62), .03, tail, .86)
    back(-half, half, .28, .48, paint * .55)
    lamp = (206, 36, 32) if away else (250, 246, 224)
    back(-half, -half + .3, .64, .84, lamp)
    back(half - .3, half, .64, .84, lamp)
    back(-.26, .26, .52, .64, (236, 234, 220))

  def person(self, x, z):
    rng = self.rng
    tall, scale = rng.uniform(1.5, 1.9), self.focal / z * FINE
    top = np.array(CLOTHES[rng.integers(len(CLOTHES))])
    legs = np.array(CLOTHES[rng.integers(len(CLOTHES))]) * .8
    skin = np.array([(226, 184, 156), (176, 126, 96), (112, 78, 60)][rng.integers(3)])
    step, wide = rng.uniform(.05, .26), rng.uniform(.19, .25)
    self.shadow(x, z, .4, .3)
    for foot, shade in ((-step, .8), (step, 1.0)):
      self.face([(x + foot - .09, 0, z), (x + foot + .09, 0, z), (x + .11, tall * .5, z),
                 (x - .11, tall * .5, z)], legs, PERSON, shade)
      self.face([(x + foot - .1, 0, z), (x + foot + .14, 0, z), (x + foot + .1, .08, z),
                 (x + foot - .1, .08, z)], (36, 32, 30), PERSON)
    for arm in (-1, 1):
      hand = x + arm * (wide + rng.uniform(.02, .12))
      self.face([(x + arm * wide * .6, tall * .8, z), (x + arm * wide, tall * .8, z),
                 (hand + .05, tall * .45, z), (hand - .05, tall * .45, z)], top, PERSON, .85)
    self.face([(x - wide * .8, tall * .44, z), (x + wide * .8, tall * .44, z),
               (x + wide, tall * .8, z), (x + wide * .5, tall * .86, z),
               (x - wide * .5, tall * .86, z), (x - wide, tall * .8, z)], top, PERSON)
    head = self.at(x, tall * .92, z)
    r = .085 * tall / 1.7 * scale
    hair = np.array([(40, 30, 24), (96, 66, 40), (190, 160, 110)][rng.integers(3)])
    self.disc((head[0], head[1] - r * .3), r * 1.1, r * 1.15, self.tone(hair, z), PERSON)
    self.disc((head[0], head[1] + r * .15), r * .85, r, self.tone(skin, z), PERSON)

  # The camera ---------------------------------------------------------------------------

  def frame(self):
    """The RGB frame after lens and sensor, and its labels: uint8 H×W×3 and H×W."""
    rng = self.rng
    labels = np.asarray(self.labels)[FINE // 2::FINE, FINE // 2::FINE]
    image = np.asarray(self.picture.reduce(FINE), np.float32)
    shape = labels.shape
    texture = clouds(rng, shape, 1) + .7 * clouds(rng, shape, 3) + .5 * clouds(rng, shape, 9)
    image *= 1 + (GRAIN[labels] * texture)[..., None]
    y, x = np.mgrid[-1:1:HEIGHT * 1j, -1:1:WIDTH * 1j]
    image *= (1.03 - .09 * (x * x + y * y))[..., None]
    image = 255 * (np.clip(image, 0, 255) / 255) ** rng.uniform(.88, 1.12)
    image = image * rng.uniform(.92, 1.06) + rng.normal(0, rng.uniform(.6, 1.5), image.shape)
    return np.clip(image, 0, 255).astype(np.uint8), labels


def clouds(rng, shape, size):
  """Smooth noise of mean 0 and deviation about 1, whose blobs are `size` pixels wide."""
  small = rng.normal(0, 1, (shape[0] // size + 2, shape[1] // size + 2)).astype(np.float32)
  if size == 1:
    return small[:shape[0], :shape[1]]
  whole = Image.fromarray(small).resize((shape[1] + size, shape[0] + size), Image.BICUBIC)
  return np.asarray(whole)[:shape[0], :shape[1]]


def draw(seed):
  """One frame and its labels, the same for the same seed."""
  return Scene(seed).frame()


def main():
  parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
  parser.add_argument("--count", type=int, default=8)
  parser.add_argument("--seed", type=int, default=900_000, help="of the first frame")
  parser.add_argument("--output", type=Path, default=Path(__file__).parent)
  options = parser.parse_args()
  for folder in ("frames", "truth"):
    (options.output / folder).mkdir(parents=True, exist_ok=True)
  for index in range(options.count):
    image, labels = draw(options.seed + index)
    Image.fromarray(image).save(options.output / "frames" / f"street{index}.png", optimize=True)
    Image.fromarray(labels).save(options.output / "truth" / f"street{index}.png", optimize=True)


if __name__ == "__main__":
  main()

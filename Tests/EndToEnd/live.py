"""Runs das3-run on what comes only once: stdin, pipes, HTTP and RTSP; on patterns of names; on colours
of every standard.

    python Tests/EndToEnd/live.py DAS3_RUN STREET

STREET is examples/street. All inputs are made here by PyAV. A camera needs a machine that has one: only
what is said without one is checked (drive.py). Prints what it checks and, last, how many checks passed.
"""

import http.server
import io
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from fractions import Fraction

import av
import numpy as np
from PIL import Image

from client import Checks, Program

# Numbers of FFmpeg's AVColorSpace and AVColorRange.
BT709, BT601, BT2020 = 1, 5, 9
LIMITED, FULL = 1, 2
LOSSLESS = {"crf": "4", "preset": "ultrafast"}


class Street:
    """The frames of the street, as videos and as what das3-run says of the frames themselves."""

    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        paths = sorted(program.frames.glob("*.png"))
        self.images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
        self.labels = self.labelled("frames", program.frames)

    def labelled(self, name, source, *arguments, stdin=None):
        """The labels of each frame, in order; what is printed instead where that fails."""
        output = self.folder / f"labels of {name}"
        words = self.program.command(output, *arguments, command="segment", input=source)
        result = subprocess.run(words, stdin=stdin, capture_output=True, text=True, timeout=300)
        if result.returncode:
            return result.stderr
        return [np.asarray(Image.open(path)) for path in sorted((output / "labels").iterdir())]

    def agreement(self, labels):
        """The share of pixels whose label is that of the frame itself, of the worst frame."""
        if isinstance(labels, str) or len(labels) != len(self.labels):
            return labels if isinstance(labels, str) else len(labels)
        return min((one == two).mean() if one.shape == two.shape else 0
                   for one, two in zip(labels, self.labels))

    def video(self, target, kind=None, codec="libx264", pixels="yuv420p", space=BT601, levels=LIMITED,
              says=True, size=None, times=None, repeat=1, **options):
        """Writes the frames as a video of these colours; `says` names them in the file."""
        size = size or self.images[0].shape[1::-1]
        with av.open(target, "w", format=kind) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height = size
            stream.pix_fmt = pixels
            stream.options = {key: str(value) for key, value in options.items()}
            stream.codec_context.time_base = Fraction(1, 1000)
            if says:
                stream.codec_context.colorspace = space
                stream.codec_context.color_range = levels
            for number, image in enumerate(self.images * repeat):
                image = np.asarray(Image.fromarray(image).resize(size, Image.BILINEAR))
                picture = av.VideoFrame.from_ndarray(image, "rgb24").reformat(
                    format=pixels, dst_colorspace=space, src_color_range=FULL, dst_color_range=levels)
                picture.pts = times[number] if times else 40 * number
                picture.time_base = Fraction(1, 1000)
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
        return target

    def stream(self, repeat=1):
        """The bytes of an MPEG transport stream."""
        target = io.BytesIO()
        self.video(target, "mpegts", repeat=repeat, g=8, **LOSSLESS)
        return target.getvalue()


def pipes(street, check):
    """A video on stdin or in a named pipe, in any container; raw pixels with a word on how they lie."""
    for kind, ending in (("matroska", "mkv"), ("nut", "nut"), ("mpegts", "ts")):
        path = street.folder / f"piped.{ending}"
        street.video(str(path), kind, **LOSSLESS)
        with path.open("rb") as stdin:
            found = street.agreement(street.labelled(f"stdin {kind}", "-", stdin=stdin))
        check(f"{kind} on stdin", isinstance(found, float) and found > 0.95, found)
    ppm = b"".join(b"P6\n%d %d\n255\n" % image.shape[1::-1] + image.tobytes() for image in street.images)
    for layout, names in (("rgb8", "rgb24"), ("bgr8", "bgr24"), ("gray8", "gray"), ("yuyv", "yuyv422"),
                          ("nv12", "nv12"), ("uyvy422", "yuyv422"), ("rgba8", "rgba"), ("bgra8", "bgra")):
        raw = b""
        for image in street.images:
            picture = av.VideoFrame.from_ndarray(image, "rgb24").reformat(format=names)
            array = picture.to_ndarray()
            # That format is the other with its bytes swapped.
            raw += (array[..., ::-1] if layout == "uyvy422" else array).tobytes()
        path = street.folder / "raw.bin"
        path.write_bytes(raw)
        height, width = street.images[0].shape[:2]
        words = ["--raw", f"{layout}:{width}x{height}@10"]
        with path.open("rb") as stdin:
            found = street.agreement(street.labelled(f"stdin {layout}", "-", *words, stdin=stdin))
        bound = {"rgb8": 0.9999, "bgr8": 0.9999, "rgba8": 0.9999, "bgra8": 0.9999, "gray8": 0.3}
        check(f"raw {layout} on stdin", isinstance(found, float) and found > bound.get(layout, 0.95), found)
        found = street.agreement(street.labelled(f"file {layout}", path, *words))
        check(f"raw {layout} in a file", isinstance(found, float) and found > bound.get(layout, 0.95), found)
    path.write_bytes(ppm)
    with path.open("rb") as stdin:
        found = street.agreement(street.labelled("ppm", "-", stdin=stdin))
    check("PPM after PPM on stdin", isinstance(found, float) and found > 0.9999, found)

    fifo = street.folder / "camera.fifo"
    os.mkfifo(fifo)
    threading.Thread(target=fifo.write_bytes, args=[street.stream()], daemon=True).start()
    found = street.agreement(street.labelled("fifo", fifo))
    check("a named pipe", isinstance(found, float) and found > 0.95, found)

    words = street.program.command(street.folder / "piped.onnx", "--json", "--method", "blend", input="-")
    from_files = street.folder / "files.onnx"
    street.program.run(from_files, "--method", "blend")
    with path.open("rb") as stdin:
        result = subprocess.run(words, stdin=stdin, capture_output=True, text=True, timeout=300)
    same = result.returncode in (0, 3) and (
        (street.folder / "piped.onnx").read_bytes() == from_files.read_bytes())
    check("adapt learns from stdin what it learns from files", same, result.stderr)

    words = street.program.command(None, "--json", command="segment", input="-")
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as waits:
        time.sleep(1)
        waits.send_signal(signal.SIGINT)
        end = time.monotonic()
        code = waits.wait(timeout=30)
        check("Ctrl-C ends the waiting for stdin", code == 130 and time.monotonic() - end < 5, code)
    for what, text, words, stdin in [
        ("nothing on stdin", "cannot read stdin", [], b""),
        ("rubbish on stdin", "FFmpeg knows no video like it", [], b"rubbish" * 1000),
        ("pixels that nobody knows", "is no format of pixels", ["--raw", "xyz:4x4"], b""),
        ("a layout without a size", "such as yuyv:640x480@30", ["--raw", "yuyv"], b""),
    ]:
        words = street.program.command(None, *words, command="segment", input="-")
        result = subprocess.run(words, input=stdin, capture_output=True, timeout=60)
        message = result.stderr.decode()
        check(f"refused: {what}", result.returncode in (1, 2) and text in message, message)


def patterns(street, check):
    """Names by a pattern of printf or of a shell."""
    folder = street.folder / "sequence"
    folder.mkdir()
    for number, image in enumerate(street.images):
        Image.fromarray(image).save(folder / f"left_{number + 7:04}.png")
    Image.fromarray(street.images[0]).save(folder / "right_0001.png")
    for pattern in ("left_%04d.png", "left_*.png", "left_%d.png", "l?ft_00[01][0-9].png"):
        found = street.agreement(street.labelled(f"pattern {pattern[:6]}{len(pattern)}", folder / pattern))
        check(f"the frames {pattern}", isinstance(found, float) and found == 1, found)
    found = street.labelled("none", folder / "lift_%04d.png")
    check("a pattern that fits nothing", isinstance(found, str) and "no images called so" in found, found)


def colours(street, check):
    """Each standard of colours gives the labels that the frames themselves have."""
    for name, space in (("BT.601", BT601), ("BT.709", BT709), ("BT.2020", BT2020)):
        for levels in (LIMITED, FULL):
            path = street.folder / "colours.mkv"
            street.video(str(path), space=space, levels=levels, **LOSSLESS)
            found = street.agreement(street.labelled(f"{name} {levels}", path))
            what = "full" if levels == FULL else "limited"
            check(f"{name}, {what} range", isinstance(found, float) and found > 0.95, found)
    path = street.folder / "ten.mkv"
    street.video(str(path), pixels="yuv420p10le", space=BT709, **LOSSLESS)
    found = street.agreement(street.labelled("10 bits", path))
    check("10 bits", isinstance(found, float) and found > 0.95, found)
    # Saturated bars tell the matrices apart; labels hardly do.
    bars = np.repeat(np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8), 480, axis=0)
    bars = np.broadcast_to(bars[None], (720, 1440, 3)).copy()
    whole = Street.__new__(Street)
    whole.images = [bars] * 2
    for space, says, size in ((BT709, False, (1440, 720)), (BT601, False, (720, 480)), (BT2020, True, (1440, 720))):
        path = street.folder / "bars.mkv"
        whole.video(str(path), space=space, says=says, size=size, codec="ffv1", pixels="yuv444p")
        output = street.folder / "bars"
        street.program.run(output, "--overlay", "--limit", "1", command="segment", input=path)
        result = street.program.run(
            output, "--raw", f"rgb8:{size[0]}x{size[1]}", "--limit", "1", command="segment", input=path)
        labels = street.labelled(f"bars {space} {size[1]}", path)[0]
        image = street.folder / "bars.png"
        Image.fromarray(bars).resize(size, Image.NEAREST).save(image)
        wanted = street.labelled(f"bars as an image {space} {size[1]}", image)[0]
        good = (labels == wanted).mean() > 0.98
        check(f"bars of matrix {space}, {size[1]} rows, {'said' if says else 'not said'}", good,
              (labels == wanted).mean())
    path = street.folder / "odd.mkv"
    street.video(str(path), codec="ffv1", pixels="yuv444p", size=(319, 239))
    labels = street.labelled("odd", path)
    check("319 x 239 pixels", labels[0].shape == (239, 319), getattr(labels[0], "shape", labels))
    path = street.folder / "pq.mkv"
    street.video(str(path), space=BT2020, **LOSSLESS, **{"x264-params": "transfer=smpte2084"})
    result = street.program.run(None, command="segment", input=path)
    check("one warning for HDR", result.stderr.count("HDR (PQ)") == 1, result.stderr)


def times(street, check):
    """--rate takes frames by their times, and times stay what they are."""
    path = street.folder / "uneven.mkv"
    shown = [0, 33, 500, 520, 1000, 2000, 2040, 2100]
    street.video(str(path), times=shown, **LOSSLESS)
    def seconds(*words):
        events = street.program.events(None, *words, command="segment", input=path)
        return [event["seconds"] for event in events if event["event"] == "frame"]
    check("all times", np.allclose(seconds(), np.array(shown) / 1000), seconds())
    found = seconds("--rate", "2")
    check("two frames a second", np.allclose(found, [0, 0.5, 1, 2]), found)
    check("two of them", len(seconds("--rate", "2", "--limit", "2")) == 2)
    result = street.program.run(None, "--rate", "2", command="segment")
    check("images have no times", result.returncode == 1 and "'--every'" in result.stderr, result.stderr)
    events = street.program.events(
        street.folder / "rate.onnx", "--method", "blend", "--rate", "2", input=path)
    check("adapt takes them, too", events[-1]["frames"] == 4, events[-1])


class Camera(http.server.BaseHTTPRequestHandler):
    """Sends a part of a stream to each client: to its end, or without one; after the last part nothing."""

    protocol_version = "HTTP/1.1"
    parts, ends = [], True

    def do_GET(self):
        if not self.parts:
            self.send_error(503)
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        if self.ends:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        part, self.parts[:] = self.parts[0], self.parts[1:]
        for place in range(0, len(part), 188 * 50):
            piece = part[place : place + 188 * 50]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if self.ends else piece)
        if self.ends:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def log_message(self, *_):
        pass


def http_streams(street, check):
    """A live stream that breaks off is opened again; frames that nobody waits for are left out."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/live.ts?key=1"
    whole = street.stream()

    Camera.parts, Camera.ends = [whole, whole], False
    result = street.program.run(
        street.folder / "http", "--json", "--drop", "never", "--reconnect", "2", "--overlay",
        command="segment", input=address)
    summary = json.loads(result.stdout.splitlines()[-1]) if result.stdout else {}
    count = 2 * len(street.images)
    check("its break is told by the exit code", result.returncode == 4, result.returncode)
    check("a stream that comes back", (summary.get("frames"), summary.get("reconnects")) == (count, 1),
          (summary, result.stderr))
    told = "trying again" in result.stderr and "is back" in result.stderr
    check("and says so", told, result.stderr)
    check("the overlay is called after it", (street.folder / "http" / "live_overlay.mp4").exists())
    stamps = [json.loads(line)["seconds"] for line in result.stdout.splitlines()[:-1]]
    check("times grow", all(np.diff(stamps) > 0), stamps)

    Camera.parts, Camera.ends = [whole], True
    result = street.program.run(None, "--json", "--drop", "never", "--reconnect", "0", command="segment",
                                input=address)
    summary = json.loads(result.stdout.splitlines()[-1]) if result.stdout else {}
    check("--reconnect 0: its end is the end", result.returncode == 0
          and summary["frames"] == len(street.images), (summary, result.stderr))

    Camera.parts = [street.stream(repeat=12)]
    result = street.program.run(None, "--json", "--reconnect", "0", "--size", "640x480", command="segment",
                                input=address)
    summary = json.loads(result.stdout.splitlines()[-1]) if result.stdout else {"frames": 0, "dropped": 0}
    good = summary["dropped"] > 0 and summary["frames"] + summary["dropped"] == 12 * len(street.images)
    check("frames that came meanwhile are left out and counted", good, (summary, result.stderr))

    Camera.parts = [street.stream(repeat=12)]
    result = street.program.run(
        street.folder / "live.onnx", "--json", "--method", "blend", "--limit", "20", input=address)
    summary = json.loads(result.stdout.splitlines()[-1]) if result.stdout else {}
    check("adapt takes 20 frames of a stream", summary.get("frames") == 20, (summary, result.stderr))
    server.shutdown()


def rtsp_server(stream):
    """Serves a transport stream once to each client, over the connection itself (RFC 2326, 10.12)."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(client):
        file = client.makefile("rb")
        while True:
            head = []
            while (line := file.readline().strip()):
                head.append(line.decode())
            if not head:
                return
            verb = head[0].split()[0]
            number = next(line for line in head if line.lower().startswith("cseq"))
            more, body = "", ""
            if verb == "DESCRIBE":
                body = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=street\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\n"
                more = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
            elif verb == "SETUP":
                more = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 7\r\n"
            elif verb == "PLAY":
                more = "Session: 7\r\n"
            elif verb == "OPTIONS":
                more = "Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            client.sendall(f"RTSP/1.0 200 OK\r\n{number}\r\n{more}\r\n{body}".encode())
            if verb != "PLAY":
                continue
            for index, place in enumerate(range(0, len(stream), 7 * 188)):
                packet = struct.pack(">BBHII", 0x80, 33, index & 0xFFFF, 3600 * index, 7)
                packet += stream[place : place + 7 * 188]
                client.sendall(struct.pack(">cBH", b"$", 0, len(packet)) + packet)
            client.close()
            return

    def accept():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=[client], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener


def rtsp_streams(street, check):
    listener = rtsp_server(street.stream(repeat=2))
    address = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/street"
    result = street.program.run(
        None, "--json", "--drop", "never", "--reconnect", "5", "--limit", "20", command="drive",
        input=address)
    summary = json.loads(result.stdout.splitlines()[-1]) if result.stdout else {}
    check("RTSP, 16 frames a time: 20 frames", summary.get("frames") == 20, (summary, result.stderr))
    check("by coming back", summary.get("reconnects", 0) >= 1, (summary, result.stderr))
    listener.close()


def main():
    program, examples = map(pathlib.Path, sys.argv[1:3])
    check = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        street = Street(Program(program.resolve(), examples.resolve(), folder), folder)
        for part in (pipes, patterns, colours, times, http_streams, rtsp_streams):
            part(street, check)
    return check.end()


if __name__ == "__main__":
    sys.exit(main())

"""das3-run's own help in, its manual page out, so that nothing is said twice.

das3-run --experimental-dump-help | python3 docs/manual.py VERSION >das3-run.1
"""

import itertools
import json
import sys


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    # A line that starts with one of these would be a request.
    return "\\&" + text if text[:1] in (".", "'") else text


def prose(text):
    """Paragraphs are filled; lines that are indented, examples and tables, stay as they are."""
    for number, paragraph in enumerate(text.strip("\n").split("\n\n")):
        if number > 0:
            yield ".PP"
        for is_literal, lines in itertools.groupby(
            paragraph.split("\n"), lambda line: line[:1] == " "
        ):
            lines = map(escaped, lines)
            yield from (".nf", *lines, ".fi") if is_literal else lines


def names(argument):
    if argument["kind"] == "positional":
        return f"\\fI{escaped(argument['valueName'])}\\fR"
    dashes = {"short": "-", "long": "--", "longWithSingleDash": "-"}
    words = [dashes[name["kind"]] + name["name"] for name in argument["names"]]
    bold = ", ".join(f"\\fB{escaped(word)}\\fR" for word in words)
    if argument["kind"] == "flag":
        return bold
    return f"{bold} \\fI{escaped(argument['valueName'])}\\fR"


def options(command, but=()):
    for argument in command.get("arguments", []):
        if not argument["shouldDisplay"] or argument in but:
            continue
        notes = []
        if argument.get("allValues"):
            notes.append("values: " + ", ".join(argument["allValues"]))
        if "defaultValue" in argument:
            notes.append("default: " + argument["defaultValue"])
        if argument["kind"] == "option" and not argument["isOptional"]:
            notes.append("required")
        note = f" ({'; '.join(notes)})" if notes else ""
        yield from (".TP", names(argument), escaped(argument.get("abstract", "") + note))


def page(program, version):
    name, overview = program["commandName"], program["abstract"]
    yield f'.TH {name.upper()} 1 "" "libdas3 {version}" "User Commands"'
    yield from (".SH NAME", f"{escaped(name)} \\- {escaped(overview)}")
    yield from (".SH SYNOPSIS", f".B {escaped(name)}", "\\fIcommand\\fR [\\fIoptions\\fR]")
    yield from (".SH DESCRIPTION", *prose(program["discussion"]))
    yield from (".SH OPTIONS", *options(program))
    yield ".SH COMMANDS"
    for command in program["subcommands"]:
        if command["shouldDisplay"] and command["commandName"] != "help":
            yield f'.SS "{escaped(name)} {escaped(command["commandName"])}"'
            yield from prose(f"{command['abstract']}\n\n{command.get('discussion', '')}")
            # --version and --help are everybody's and stand above.
            yield from options(command, but=program["arguments"])


if __name__ == "__main__":
    for line in page(json.load(sys.stdin)["command"], sys.argv[1]):
        print(line)

"""`efield protocol`: published protocols, what tables say of trains, and what a stimulator can do of them."""

from typing import Annotated, Any

import typer

from efield.app import options
from efield.app.console import OUT, answer, print_json, say
from efield.dosing.protocols import Protocol, body_parts, chosen, list_protocols, pain_types, protocol
from efield.dosing.safety import safety
from efield.dosing.trains import Trains
from efield.dosing.words import EVIDENCE, METHODS
from efield.ground import checks
from efield.ground.errors import InputError

app = options.Commands(
    help="Published protocols of M1 stimulation for neuropathic pain, with what speaks against them.",
    no_args_is_help=True,
)

MethodOption = Annotated[str, f"How the threshold was found: {', '.join(METHODS)}."]
OutputOption = Annotated[float | None, "Percent of the maximum stimulator output; asks what the stimulator can do."]
StimulatorOption = Annotated[str | None, "Stimulator, with --output."]
CoilNameOption = Annotated[str, "Coil, with --output."]


@app.command("list")
def list_them(
    pain: Annotated[str | None, f"Type of pain: {', '.join(pain_types())}."] = None,
    body_part: Annotated[str | None, f"Part of M1: {', '.join(body_parts())}."] = None,
    evidence: Annotated[str | None, "; ".join(f"{word}: {what}" for word, what in EVIDENCE.items()) + "."] = None,
    as_json: options.Json = False,
) -> None:
    """The catalog, filtered; what reviews and large trials say against it stands below."""
    if as_json:
        print_json([_document(one) for one in chosen(pain, body_part, evidence)])
        return
    from efield.app.tables import listing_table

    found = list_protocols(pain=pain, body_part=body_part, evidence=evidence)
    OUT.print(listing_table(found))
    say(found.note)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="A protocol, such as P08.")],
    method: MethodOption = "emg",
    output: OutputOption = None,
    stimulator: StimulatorOption = None,
    coil: CoilNameOption = "",
    as_json: options.Json = False,
) -> None:
    """One protocol: each cell with how well it is known, the evidence, and what tables say of its trains."""
    _check_machine(output, stimulator, coil)
    one = protocol(name)
    document: dict[str, Any] = {"protocol": _document(one)}
    texts = [str(one)]
    try:
        reports = _reports(one.trains, one, None, method, output, stimulator, coil)
    except InputError as error:
        if output is not None:
            raise
        document |= {"no_reports": str(error)}
        texts.append(f"safety: {error}")
    else:
        document |= {name: report.to_json() for name, report in reports.items()}
        texts += [f"{name}:\n{report}" for name, report in reports.items()]
    answer(document, as_json, "\n\n".join(texts))


@app.command()
def check(
    hz: Annotated[float, "Pulses per second within a train."],
    train: Annotated[float, "Length of a train in s."],
    percent: Annotated[float, "Intensity, percent of the motor threshold."],
    trains: Annotated[int, "Number of trains."] = 1,
    gap: Annotated[float | None, "Time from the end of a train to the next in s."] = None,
    method: MethodOption = "emg",
    output: OutputOption = None,
    stimulator: StimulatorOption = None,
    coil: CoilNameOption = "",
    as_json: options.Json = False,
) -> None:
    """Trains of your own: what published tables say of them, and what a stimulator can do.

    Example:

      efield protocol check --hz 10 --train 5 --trains 20 --gap 55 --percent 110 --output 60 --stimulator magstim-rapid2
    """
    for option, value in {"--hz": hz, "--train": train, "--gap": gap}.items():
        if value is not None:
            checks.positive(option, value)
    checks.percent_of_threshold("--percent", percent)
    _check_machine(output, stimulator, coil)
    session = Trains(freq_hz=hz, train_s=train, trains=checks.whole("--trains", trains, 1), iti_s=gap)
    reports = _reports(session, session, percent, method, output, stimulator, coil)
    texts = [f"{name}:\n{report}" for name, report in reports.items()]
    answer({name: report.to_json() for name, report in reports.items()}, as_json, "\n\n".join(texts))


def _check_machine(output: float | None, stimulator: str | None, coil: str) -> None:
    if (output is None) != (stimulator is None) or (coil and output is None):
        raise InputError(
            "--output and --stimulator must be given together, and --coil with both: what a stimulator can do depends "
            "on all"
        )


def _reports(
    session: Trains,
    source: Trains | Protocol,
    percent: float | None,
    method: str,
    output: float | None,
    stimulator: str | None,
    coil: str,
) -> dict[str, Any]:
    """Safety, and feasibility where an output is given."""
    from efield.dosing.feasibility import feasibility

    found: dict[str, Any] = {"safety": safety(source, percent, method=method)}
    if output is not None and stimulator is not None:
        found["feasibility"] = feasibility(session, output, stimulator, coil)
    return found


def _document(one: Protocol) -> dict[str, Any]:
    cells = {name: {"text": cell.text, "mark": cell.mark} for name, cell in one.cells.items() if cell.text}
    beside = [vars(statement) for statement in one.evidence]
    words = {"pain_types": one.pain_types, "body_parts": one.body_parts, "source": one.source, "status": one.status}
    return {"name": one.name, **words, "cells": cells, "unverified": one.unverified, "evidence_beside": beside}

"""`sentiment predict` and `sentiment explain`."""

import sys
from pathlib import Path
from typing import Any

import click

from sentiment.cli.options import DEVICE, HOW_READ, MODEL, PATH, TEXT_COLUMN, show, to_json, verb
from sentiment.core.errors import UsageError

FAILED_ROWS = 1


@verb(
    'sentiment predict "I laughed all the way through; see it."',
    'sentiment predict "WINNER!! Claim your free prize now" --model sms_spam',
    "sentiment predict --input reviews.csv --text-column body --output scored.jsonl",
    "cat lines.txt | sentiment predict --input - --format csv",
)
@click.argument("texts", nargs=-1, metavar="[TEXT …]")
@MODEL
@click.option(
    "--input",
    "source",
    metavar="FILE|-",
    help="CSV, TSV, JSONL, Parquet or one text a line (.txt). - is stdin: JSONL if it begins with {, "
    "CSV with --text-column, else one text a line. For a model of features also .wav, .npz and .npy, and "
    "folders of them.",
)
@click.option(
    "--output", metavar="FILE|-", default="-", help="Where to write; a file is complete or not there."
)
@click.option(
    "--format", "style", type=click.Choice(["text", "jsonl", "csv"]), help="jsonl with --input, else text."
)
@TEXT_COLUMN
@HOW_READ
@DEVICE
def predict(
    *,
    texts: tuple[str, ...],
    model: Path | None,
    source: str | None,
    output: str,
    style: str | None,
    text_column: str | None,
    device: str,
    **asked: Any,
) -> int:
    """Classify texts, from the command line or a file.

    Of a file the columns that the model was trained on are taken. A row that cannot be classified becomes a
    row with `error`; the rest go on, and the exit code is 1.
    """
    from sentiment.cli import predict_io
    from sentiment.core import files

    if texts and source:
        raise UsageError("give texts or --input, not both")
    if not texts and source is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise UsageError(
                'nothing to classify; write: sentiment predict "some text", or give --input FILE'
            )
        source = "-"
    if output != "-":
        files.check_place(Path(output), "--output")
    predictor = predict_io.load(model, device)
    rows, column = predict_io.read(texts, source, predictor.bundle, text_column, asked)
    failed = predict_io.write(
        predictor.stream(rows, column),
        predictor.labels,
        output,
        style or ("jsonl" if source else "text"),
    )
    if failed:
        click.echo(f"sentiment: {failed:,} rows could not be classified; see their error", err=True)
    return FAILED_ROWS if failed else 0


@verb(
    'sentiment explain "I laughed all the way through; see it."',
    'sentiment explain "free entry" "see you at 8" --model sms_spam --class spam',
    "cat lines.txt | sentiment explain - --html why.html",
    "sentiment explain --input word.wav --model artifacts/commands",
)
@click.argument("texts", nargs=-1, metavar="[TEXT … | -]")
@MODEL
@click.option("--input", "source", metavar="FILE|-", help="Explain what is in a file, as predict reads it.")
@click.option(
    "--class", "--label", "label", metavar="LABEL",
    help="Class to explain; the predicted one if left out, of several labels the most probable."
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for each text.")
@click.option("--html", type=PATH, metavar="FILE", help="Write a page of HTML instead.")
@TEXT_COLUMN
@HOW_READ
@DEVICE
def explain(
    *,
    texts: tuple[str, ...],
    model: Path | None,
    source: str | None,
    label: str | None,
    as_json: bool,
    html: Path | None,
    text_column: str | None,
    device: str,
    **asked: Any,
) -> None:
    """Show which words of TEXT carried the decision; - reads texts from stdin, as predict does.

    Each word has a weight, by integrated gradients: above 0 it speaks for the class, below against it.
    Beside it stands what changes when the word is left out, as a check. Of features, the words are steps.
    """
    if as_json and html:
        raise UsageError("give --json or --html, not both")
    if bool(texts) == (source is not None):
        raise UsageError('give texts or --input; for one text write: sentiment explain "some text"')
    from sentiment.cli import predict_io
    from sentiment.core import files

    if html is not None:
        files.check_place(html, "--html")
    predictor, inputs = predict_io.load(model, device), []
    source = "-" if texts == ("-",) else source
    rows, column = predict_io.read(texts, source, predictor.bundle, text_column, asked)
    for row in rows:
        try:
            inputs.append(predictor.read(row, column))
        except ValueError as error:
            raise UsageError(f"{row.where}: {error}") from None
    from sentiment.inference.explain import explain as explain_texts
    from sentiment.report import explanation

    explanations = explain_texts(predictor, inputs, label)
    if html is not None:
        files.write_text(html, explanation.page(explanations))
    elif as_json:
        for explained in explanations:
            click.echo(to_json(explained.as_dict()))
    else:
        for explained in explanations:
            show(explained, False, explanation.render)

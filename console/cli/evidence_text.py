"""The evidence that closed a row, in a sentence. Its JSON is in the same command's `--json`."""

from __future__ import annotations

import msgspec

from messages.verdict import Evidence, EvidenceKind


def evidence_text(found: object) -> str | None:
    """What the venue showed, and when (UTC); None for what is no evidence of this version."""
    # What an older or a newer version stored is shown as it is, not refused.
    try:
        evidence = msgspec.convert(found, Evidence, strict=False)
    except msgspec.ValidationError:
        return None
    reads = " and ".join(f"{read.started_at:%H:%M:%S}" for read in evidence.reads)
    if evidence.kind is EvidenceKind.TWO_READS:
        text = f"two complete reads ({reads} UTC) without it"
    else:
        fills = ", ".join(
            f"{fill.side} {fill.quantity.normalize():f} at {fill.price.normalize():f}"
            f" ({fill.at:%H:%M:%S} UTC{'' if fill.kind == 'trade' else f', {fill.kind}'})"
            for fill in evidence.fills
        )
        text = f"a complete read ({reads} UTC) without it, and the fills that closed it: {fills}"
    if evidence.named_flat_at is not None:
        text += f"; named flat by the venue at {evidence.named_flat_at:%H:%M:%S} UTC"
    return f"<{text}>"

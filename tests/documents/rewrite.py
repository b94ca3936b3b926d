"""`make docs`: the samples in the documents are written anew from a real guard."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from loguru import logger

from tests.documents.guard import guard
from tests.documents.samples import DOCUMENTS, ROOT, rewritten


async def _changed() -> dict[Path, str]:
    with tempfile.TemporaryDirectory() as folder:
        async with guard(Path(folder)) as running:
            texts = {document: document.read_text(encoding="utf-8") for document in DOCUMENTS}
            return {
                document: new
                for document, text in texts.items()
                if (new := await rewritten(text, running.said)) != text
            }


if __name__ == "__main__":
    logger.remove()
    for document, text in asyncio.run(_changed()).items():
        document.write_text(text, encoding="utf-8")
        print(f"rewritten: {document.relative_to(ROOT)}")

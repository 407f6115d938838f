"""What the model is asked, and the words its explanation must start from."""

from __future__ import annotations

import hashlib

from healer.engines.base import Answer, Question


def messages(question: Question) -> list[dict[str, object]]:
    """One user turn: the image first, then the question."""
    content = [{"type": "image"}, {"type": "text", "text": question.text}]
    return [{"role": "user", "content": content}]


def opening(question: Question, answer: Answer) -> str:
    """The start of the explanation. Stating the answer in full leaves only the reason to write."""
    if answer is Answer.YES:
        return f"Yes, {question.subject} is present in this image because"
    if answer is Answer.NO:
        return f"No, {question.subject} is not seen in this image because"
    return f"It cannot be determined from this image whether {question.subject} is present because"


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]

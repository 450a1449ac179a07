"""Tools as an LLM sees them: what may be called, and what it asks to call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """Something that a device or a tool server can do.

    Attributes:
        name: as the LLM calls it: letters, digits, `_` and `-`, 64 at most.
        description: when to use it, in words for the LLM.
        parameters: JSON schema of its arguments, an object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that an LLM asks for.

    Attributes:
        id: what the answer refers to; made up where the LLM gave none.
        arguments: a JSON object; empty where the LLM wrote something else.
        problem: why it cannot be made, in words for the LLM; empty where it can.
        extra: other fields of the call as they came; they go back with it unchanged.
    """

    id: str
    name: str
    arguments: str
    problem: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Sign of life of a chat stream that adds no text to the reply: reasoning, a comment, an empty chunk.

    Attributes:
        reasoning: the reasoning that came with it, as it was sent; empty where there was none.
    """

    reasoning: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptUsage:
    """Size of a request's prompt, and of the reply, in tokens, as its server counted them.

    Attributes:
        cached: of the prompt, what the server had read before; None where it does not say.
        completion: of the reply with its reasoning; None where it does not say.
    """

    tokens: int
    cached: int | None = None
    completion: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTool:
    """A tool under the name that its owner knows, as `read_tool` accepted it.

    Attributes:
        name: such as `self.audio_speaker.set_volume`.
        parameters: JSON schema of its arguments, an object.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What became of a call, in words for the LLM.

    Attributes:
        text: the result, or what went wrong.
        failed: the tool did not do what was asked, or nobody knows whether it did.
    """

    text: str
    failed: bool = False


# One item of a chat stream: text of the reply, a whole tool call, a sign of life without text; at its end the
# size of the prompt.
ChatPiece: TypeAlias = str | ToolCall | Progress | PromptUsage

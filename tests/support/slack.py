"""A Slack to test against: real HTTP, its own state, and a check of every call's form.

Methods, arguments, limits and errors are those that https://docs.slack.dev/reference/methods
documents for auth.test, chat.postMessage, conversations.list, users.list,
files.getUploadURLExternal (and the address that it gives) and files.completeUploadExternal.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "xoxb-of-the-tests"
ARGUMENTS = {
    "auth.test": set(),
    "conversations.list": {"cursor", "exclude_archived", "limit", "team_id", "types"},
    "users.list": {"cursor", "include_locale", "limit", "team_id"},
    "chat.postMessage": {
        *("channel", "text", "blocks", "attachments", "metadata", "mrkdwn", "parse", "link_names"),
        *("unfurl_links", "unfurl_media", "thread_ts", "reply_broadcast", "username"),
        *("icon_emoji", "icon_url", "as_user", "markdown_text"),
    },
    "files.getUploadURLExternal": {"filename", "length", "alt_txt", "snippet_type"},
    "files.completeUploadExternal": {
        *("files", "channel_id", "channels", "initial_comment", "thread_ts", "blocks"),
    },
}
# https://docs.slack.dev/changelog/2024-04-a-better-way-to-upload-files-is-here-to-stay
RETIRED = {"files.upload", "channels.list"}
SCOPES = {
    "chat.postMessage": "chat:write",
    "conversations.list": "channels:read",
    "users.list": "users:read",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
}
MRKDWN_KEYS = {"type", "text", "verbatim"}

Answer = tuple[int, dict[str, str], dict[str, Any]]


@dataclass
class Post:
    """A message that was accepted: by the channel's name or the person's id, and when (seconds)."""

    to: str
    text: str
    blocks: list[dict[str, Any]]
    metadata: dict[str, Any]
    at: float = field(default_factory=time.monotonic)

    @property
    def shown(self) -> str:
        """What the blocks show."""
        return "\n".join(
            each["text"]["text"] if "text" in each else each["elements"][0]["text"]
            for each in self.blocks
        )


@dataclass
class Upload:
    """A file: announced, then sent (``data``), then shared in a thread of a channel."""

    filename: str
    length: int
    alt_txt: str
    data: bytes = b""
    title: str = ""
    to: str = ""
    thread_ts: str = ""


@dataclass
class FakeSlack:
    """The state of a workspace.

    Attributes:
        faults: for each coming call of chat.postMessage the answer to give in its place, or none.
        limit_every: answers every n-th post with a rate limit.
        drop_after: accept that post (from 1), and never answer.
        uploads: the files by id.
        file_faults: the answer to give to a method of files, or to ``upload``, whenever it comes.
        forget_after: give such an answer so many times only; 0 is always.
    """

    url: str = ""
    token: str = TOKEN
    scopes: set[str] = field(default_factory=lambda: {*SCOPES.values(), "users:read.email"})
    channels: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: list[dict[str, Any]] = field(default_factory=list)
    page: int = 3
    posts: list[Post] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    faults: list[Answer | None] = field(default_factory=list)
    limit_every: int = 0
    drop_after: int = 0
    uploads: dict[str, Upload] = field(default_factory=dict)
    file_faults: dict[str, Answer] = field(default_factory=dict)
    forget_after: int = 0
    dropped: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    _tries: int = 0

    def add_channel(self, name: str, member: bool = True, archived: bool = False) -> str:
        channel = f"C{len(self.channels):07d}"
        self.channels[name] = {
            "id": channel,
            "name": name,
            "is_channel": True,
            "is_member": member,
            "is_archived": archived,
        }
        return channel

    def add_person(self, user: str, real: str, display: str, email: str, **more: Any) -> None:
        profile = {"real_name": real, "display_name": display, "email": email}
        self.people.append(
            {"id": user, "name": display.lower(), "real_name": real, "profile": profile, **more}
        )

    def to(self, channel: str) -> list[Post]:
        return [each for each in self.posts if each.to == channel]

    def answer(self, method: str, token: str, given: dict[str, Any]) -> Answer:
        """Answer a call as Slack does."""
        self.calls.append(method)
        refused = self._refusal(method, token, given)
        if refused is not None:
            return refused
        if method == "auth.test":
            who = {"team": "Fink", "url": "https://fink.slack.test/", "user": "finkbot"}
            return _ok(who, **{"X-OAuth-Scopes": ",".join(sorted(self.scopes))})
        if method == "users.list":
            return self._pages("members", self.people, given)
        if method == "conversations.list":
            return self._pages("channels", list(self.channels.values()), given)
        if method == "chat.postMessage":
            return self._post(given)
        if method == "files.getUploadURLExternal":
            return self._announce(given)
        return self._share(given)

    def _refusal(self, method: str, token: str, given: dict[str, Any]) -> Answer | None:
        """Return the refusal of a call, whatever it is; `None` where there is none."""
        if method not in ARGUMENTS:
            return refused("method_deprecated" if method in RETIRED else "unknown_method")
        if not token:
            return refused("not_authed")
        if token != self.token:
            return refused("invalid_auth")
        needed = SCOPES.get(method)
        if needed and needed not in self.scopes:
            return refused("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))
        if given.keys() - ARGUMENTS[method]:
            return refused("invalid_arguments", unknown=sorted(given.keys() - ARGUMENTS[method]))
        fault = self.file_faults.get(method)
        if fault is not None and self.forget_after:
            self.forget_after -= 1
            if not self.forget_after:
                del self.file_faults[method]
        return fault

    def _pages(self, key: str, everything: list[Any], given: dict[str, Any]) -> Answer:
        if not 1 <= int(given.get("limit", 100)) <= 1000:
            return refused("invalid_limit")
        cursor = str(given.get("cursor", ""))
        if cursor and not cursor.startswith("at-"):
            return refused("invalid_cursor")
        at = int(cursor[3:]) if cursor else 0
        # Slack may give fewer than the limit asks for, as here.
        end = at + min(self.page, int(given.get("limit", 100)))
        following = f"at-{end}" if end < len(everything) else ""
        return _ok({key: everything[at:end], "response_metadata": {"next_cursor": following}})

    def _post(self, given: dict[str, Any]) -> Answer:
        self._tries += 1
        if self.limit_every and self._tries % self.limit_every == 0:
            return limited()
        fault = self.faults.pop(0) if self.faults else None
        if fault is not None:
            return fault
        name = str(given.get("channel", ""))
        to = self._target(name)
        if isinstance(to, tuple):
            return to
        wrong = wrong_in(given)
        if wrong:
            return refused(wrong)
        self.posts.append(
            Post(to, given.get("text", ""), given.get("blocks", []), given.get("metadata", {}))
        )
        if len(self.posts) == self.drop_after:
            self.dropped.set()
        channel = self.channels[to]["id"] if to in self.channels else f"D{to}"
        return _ok({"channel": channel, "ts": self.ts(len(self.posts))})

    def ts(self, number: int) -> str:
        """Slack's timestamp of a post (from 1)."""
        return f"1700000000.{number:06d}"

    def _announce(self, given: dict[str, Any]) -> Answer:
        length = str(given.get("length", ""))
        if not given.get("filename") or not length.isdigit() or not int(length):
            return refused("invalid_arguments")
        if len(given.get("alt_txt", "")) > 1000:
            return refused("alt_txt_too_large")
        file = f"F{len(self.uploads):07d}"
        self.uploads[file] = Upload(given["filename"], int(length), given.get("alt_txt", ""))
        address = self.url.replace("/api/", f"/upload/v1/{file}")
        return _ok({"upload_url": address, "file_id": file})

    def receive(self, file: str, token: str, data: bytes) -> tuple[int, bytes]:
        """Take the bytes of a file, as its address does. The token is not for it."""
        if "upload" in self.file_faults:
            status, _, answer = self.file_faults["upload"]
            return status, json.dumps(answer).encode()
        if file not in self.uploads or token or len(data) != self.uploads[file].length:
            return 400, b"error"
        self.uploads[file].data = data
        return 200, f"OK - {len(data)}".encode()

    def _share(self, given: dict[str, Any]) -> Answer:
        try:
            files = json.loads(given.get("files", ""))
            unknown = [each for each in files if each.keys() - {"id", "title", "highlight_type"}]
        except (ValueError, AttributeError):
            return refused("invalid_arguments")
        if not files or unknown or ("thread_ts" in given and "channel_id" not in given):
            return refused("invalid_arguments")
        uploads = [self.uploads.get(file["id"]) for file in files]
        if any(upload is None or not upload.data or upload.to for upload in uploads):
            return refused("file_not_found")
        # Only an id: unlike chat.postMessage it takes no name.
        name = next((k for k, v in self.channels.items() if v["id"] == given.get("channel_id")), "")
        if not name:
            return refused("channel_not_found")
        times = [self.ts(at + 1) for at, post in enumerate(self.posts) if post.to == name]
        if "thread_ts" in given and given["thread_ts"] not in times:
            return refused("invalid_thread_ts")
        for upload, about in zip(uploads, files, strict=True):
            assert upload is not None
            upload.title, upload.to = about.get("title", ""), name
            upload.thread_ts = given.get("thread_ts", "")
        return _ok({"files": [{"id": each["id"], "title": each.get("title")} for each in files]})

    def _target(self, name: str) -> str | Answer:
        if any(each["id"] == name for each in self.people):
            return name
        for channel in self.channels.values():
            if name in {channel["id"], channel["name"], f"#{channel['name']}"}:
                if channel["is_archived"]:
                    return refused("is_archived")
                return channel["name"] if channel["is_member"] else refused("not_in_channel")
        return refused("channel_not_found")


def wrong_in(given: dict[str, Any]) -> str:
    """Return the error of a message whose form or size Slack does not take; else empty."""
    blocks = given.get("blocks", [])
    if not given.get("text") and not blocks:
        return "no_text"
    if len(given.get("text", "")) > 40_000:
        return "msg_too_long"
    if len(blocks) > 50:
        return "invalid_blocks"
    for block in blocks:
        texts = [block["text"]] if block["type"] == "section" else block.get("elements", [])
        if block["type"] not in {"section", "context"} or not 1 <= len(texts) <= 10:
            return "invalid_blocks"
        for text in texts:
            if text["type"] != "mrkdwn" or text.keys() - MRKDWN_KEYS:
                return "invalid_blocks"
            if not 1 <= len(text["text"]) <= 3000:
                return "invalid_blocks"
    metadata = given.get("metadata")
    if metadata is not None and set(metadata) != {"event_type", "event_payload"}:
        return "invalid_metadata_format"
    return ""


def limited(seconds: int = 0) -> Answer:
    return 429, {"Retry-After": str(seconds)}, {"ok": False, "error": "ratelimited"}


def broken(status: int = 500, **headers: str) -> Answer:
    return status, headers, {"ok": False, "error": "internal_error"}


def _ok(body: dict[str, Any], **headers: str) -> Answer:
    return 200, headers, {"ok": True, **body}


def refused(name: str, **more: Any) -> Answer:
    return 200, {}, {"ok": False, "error": name, **more}


@contextmanager
def fake_slack() -> Iterator[FakeSlack]:
    """Run a workspace on a port of its own."""
    slack = FakeSlack()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path.startswith("/upload/v1/"):
                token = self.headers.get("Authorization", "")
                with slack.lock:
                    status, said = slack.receive(self.path.rpartition("/")[2], token, sent)
                self.send_response(status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
                return
            body = sent.decode()
            kind = self.headers.get("Content-Type", "")
            given = json.loads(body) if body and "json" in kind else dict(parse_qsl(body))
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            method = self.path.removeprefix("/api/")
            with slack.lock:
                before = len(slack.posts)
                status, headers, answer = slack.answer(method, token, given)
                dropped = len(slack.posts) > before and len(slack.posts) == slack.drop_after
            if dropped:
                self.rfile.read(1)  # Until the caller is gone: the post stands, and nobody knows.
                return
            data = json.dumps(answer).encode()
            self.send_response(status)
            for key, value in {**headers, "Content-Type": "application/json"}.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    slack.url = f"http://127.0.0.1:{server.server_port}/api/"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield slack
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

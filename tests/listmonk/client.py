"""A client as its authors would write it from listmonk's documentation: nothing but the standard library, and
nothing that knows about us."""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen


class ListmonkError(Exception):
    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Listmonk:
    """`user` and `token` as in listmonk's Basic authentication; none are sent without."""

    def __init__(self, url: str, user: str | None = None, token: str = "") -> None:
        self.url = url.rstrip("/")
        self.headers = {"User-Agent": "listmonk-client/1.0"}
        if user is not None:
            self.headers["Authorization"] = "Basic " + b64encode(f"{user}:{token}".encode()).decode()

    def get(self, path: str, **parameters: Any) -> Any:
        return json.loads(self.raw("GET", path, parameters))["data"]

    def post(self, path: str, body: Any = None) -> Any:
        return json.loads(self.send("POST", path, body))["data"]

    def put(self, path: str, body: Any = None) -> Any:
        return json.loads(self.send("PUT", path, body))["data"]

    def patch(self, path: str, body: Any) -> Any:
        return json.loads(self.send("PATCH", path, body))["data"]

    def delete(self, path: str, **parameters: Any) -> Any:
        return json.loads(self.raw("DELETE", path, parameters))["data"]

    def send(self, method: str, path: str, body: Any) -> bytes:
        if body is None:
            return self.raw(method, path, {})
        data = json.dumps(body).encode()
        return self.raw(method, path, {}, data, {"Content-Type": "application/json; charset=utf-8"})

    def form(self, method: str, path: str, fields: dict[str, Any]) -> Any:
        data = urlencode(fields, doseq=True).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return json.loads(self.raw(method, path, {}, data, kind))["data"]

    def upload(self, path: str, fields: dict[str, str], file_name: str, content: bytes) -> Any:
        """multipart/form-data, as curl's -F makes it."""
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file_name}"\r\n'
            "Content-Type: text/csv\r\n\r\n".encode()
            + content
            + b"\r\n"
        )
        parts.append(f"--{boundary}--\r\n".encode())
        kind = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return json.loads(self.raw("POST", path, {}, b"".join(parts), kind))["data"]

    def raw(
        self,
        method: str,
        path: str,
        parameters: dict[str, Any],
        data: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        query = "?" + urlencode(parameters, doseq=True) if parameters else ""
        request = Request(self.url + path + query, data, {**self.headers, **(headers or {})}, method=method)
        try:
            with urlopen(request, timeout=30) as answer:
                content: bytes = answer.read()
        except HTTPError as error:
            raise ListmonkError(error.code, json.loads(error.read())["message"]) from None
        return content

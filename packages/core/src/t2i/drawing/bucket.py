"""Pictures in a bucket of an S3 store, read and written with pyarrow.

Keys, region and endpoint come from the environment, as for every S3 client: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
AWS_REGION, AWS_ENDPOINT_URL. A file is one PUT, so it appears complete or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any, final

from t2i.display import brief
from t2i.drawing.picture import Picture
from t2i.drawing.place import FoundT, ItemT, Place, picture_files
from t2i.errors import InvalidInputError, OutputError

SCHEME = "s3://"
AT_ONCE = 16  # requests; a store answers one in 10 to 100 ms, and many at once
MAX_BYTES = 2**28  # of a file that may be a picture
CONNECT_SECONDS, ANSWER_SECONDS, ATTEMPTS = 10, 60, 5


@final
class Bucket(Place):
    """A prefix in a bucket. Plugins are not told of pictures saved here, because their event has a file's path."""

    def __init__(self, address: str) -> None:
        """
        Args:
            address: s3://bucket or s3://bucket/prefix.

        Raises:
            OutputError: it is another address, or pyarrow is not installed.
        """
        self._prefix = address.removeprefix(SCHEME).strip("/")
        if not address.startswith(SCHEME) or not self._prefix:
            raise OutputError(f"Pictures are written into a folder or to s3://bucket/prefix, got {address!r}.")
        try:
            from pyarrow.fs import AwsStandardS3RetryStrategy, S3FileSystem
        except ImportError as error:
            raise OutputError(f"{address} needs pyarrow: pip install 't2i-core[s3]' ({error})") from None
        self._store: Any = S3FileSystem(
            endpoint_override=os.environ.get("AWS_ENDPOINT_URL") or None,
            allow_delayed_open=True,  # a small file is one PUT, not an upload in parts
            connect_timeout=CONNECT_SECONDS,
            request_timeout=ANSWER_SECONDS,
            retry_strategy=AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        )
        self._pool = ThreadPoolExecutor(AT_ONCE, "s3")
        self._writing: list[Future[None]] = []

    def __str__(self) -> str:
        return f"{SCHEME}{self._prefix}/"

    def at(self, path: Path) -> str:
        return f"{self}{path.as_posix()}"

    def check(self) -> None:
        bucket = self._prefix.partition("/")[0]
        from pyarrow.fs import FileType

        try:
            found = self._store.get_file_info(bucket)
        except OSError as error:
            raise self._failed("reach", str(self), error) from None
        if found.type == FileType.NotFound:
            raise OutputError(f"There is no bucket {bucket!r} to write to. Create it, or give another address.")

    def open(self, path: Path) -> BytesIO | None:
        try:
            with self._store.open_input_stream(self._key(path)) as stream:
                content = stream.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("read", self.at(path), error) from None
        if len(content) > MAX_BYTES:
            raise InvalidInputError(
                f"{self.at(path)} is larger than {MAX_BYTES} bytes, so another program wrote it. Move it away."
            )
        return BytesIO(content)

    def write(self, path: Path, content: bytes) -> None:
        try:
            with self._store.open_output_stream(self._key(path)) as stream:
                stream.write(content)
        except OSError as error:
            raise self._failed("write", self.at(path), error) from None

    def save(self, picture: Picture, path: Path) -> None:
        if len(self._writing) >= 2 * AT_ONCE:
            self._writing.pop(0).result()
        self._writing.append(self._pool.submit(self._put, picture_files(picture, path)))

    def flush(self) -> None:
        while self._writing:
            self._writing.pop(0).result()

    def map(self, look: Callable[[ItemT], FoundT], items: Iterable[ItemT]) -> Iterator[FoundT]:
        return self._pool.map(look, items)

    def _put(self, files: list[tuple[Path, bytes]]) -> None:
        for path, content in files:
            self.write(path, content)

    def _key(self, path: Path) -> str:
        return f"{self._prefix}/{path.as_posix()}"

    @staticmethod
    def _failed(what: str, where: str, error: OSError) -> OutputError:
        return OutputError(f"Cannot {what} {where}: {brief(error)}. Check the address, keys (AWS_...) and network.")

"""Counters and times for Prometheus."""

from __future__ import annotations

from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
PICTURES = (1, 2, 4, 8, 16, 32, 64, 128)


@final
class Metrics:
    """The server's own metrics; nothing else of the process is included but its memory, time and open files.

    Attributes:
        requests: answered requests, by route, method and status.
        seconds: from a request's headers to the end of its answer, by route.
        refused: answered with 429, by reason.
        waiting: pictures accepted and not yet drawn.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        where = self._registry
        self.requests = Counter("t2i_requests", "Answered requests.", ("route", "method", "status"), registry=where)
        self.seconds = Histogram(
            "t2i_request_seconds", "Seconds until a request is answered.", ("route",), buckets=SECONDS, registry=where
        )
        self.refused = Counter("t2i_refused", "Refused requests.", ("reason",), registry=where)
        self.waiting = Gauge("t2i_pictures_waiting", "Pictures accepted and not yet drawn.", registry=where)
        self._pictures = Counter("t2i_pictures", "Pictures drawn.", ("model",), registry=where)
        self._batches = Histogram(
            "t2i_batch_pictures", "Pictures in a batch.", ("model",), buckets=PICTURES, registry=where
        )
        self._drawing = Histogram(
            "t2i_batch_seconds", "Seconds to draw a batch.", ("model",), buckets=SECONDS, registry=where
        )

    def batch(self, model: str, pictures: int, seconds: float) -> None:
        """Count a batch that was drawn."""
        self._pictures.labels(model).inc(pictures)
        self._batches.labels(model).observe(pictures)
        self._drawing.labels(model).observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._registry)

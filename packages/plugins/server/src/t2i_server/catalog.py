"""What is served, by the ids that clients use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from t2i.arguments import shown
from t2i.errors import did_you_mean
from t2i_server.errors import ApiError
from t2i_server.models import ServedModel


@final
class Catalog:
    """The served models.

    Attributes:
        served: by id, the default first; empty before the server has started.
    """

    def __init__(self) -> None:
        self.served: dict[str, ServedModel] = {}

    def fill(self, models: Iterable[ServedModel]) -> None:
        """Set what is served."""
        self.served = {model.id: model for model in models}

    def find(self, id_: str | None) -> ServedModel:
        """The model of this id, or the first one.

        Raises:
            ApiError: it is not served.
        """
        if id_ is None:
            return next(iter(self.served.values()))
        if id_ not in self.served:
            known = f" Served: {', '.join(self.served)}." if len(self.served) <= 20 else ""
            message = f"The model {shown(id_)} is not served here.{did_you_mean(id_, self.served)}{known}"
            raise ApiError(404, message, "model_not_found", "model")
        return self.served[id_]

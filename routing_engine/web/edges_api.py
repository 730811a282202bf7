"""`/v1/edges`: engines beside PBXs elsewhere connect here, over a WebSocket, with a key that has the right `edge`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from routing_engine.edges.hub import EdgeHub
from routing_engine.web.endpoints import FLAG, TEXT, WHOLE, Endpoint, Gives, has, listed
from routing_engine.web.requests import ApiAnswer, ApiError, ApiRequest, LineAnswer

_EDGE = has({"edge": TEXT, "speaks": WHOLE, "connected": FLAG, "pbxs": listed(TEXT)})


class EdgesApi:
    """The address of edges. Asked for without a WebSocket it says what the hub has of an edge: for `doctor`."""

    def __init__(self, hub: EdgeHub) -> None:
        self._hub = hub

    def endpoints(self) -> Sequence[Endpoint]:
        """Return the rows of the table."""
        return (
            Endpoint(
                "GET",
                "/v1/edges",
                "edge",
                self._answer,
                "Connect as an edge, over a WebSocket; without one: whether that edge is connected",
                gives=(Gives("what the hub has of the edge whose key it is", _EDGE),),
            ),
        )

    async def _answer(self, request: ApiRequest) -> ApiAnswer | LineAnswer:
        if request.actor.user is not None:
            raise ApiError(403, "no_edge", "this is for engines, and a person is none", "use the key of an edge")
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return LineAnswer(partial(self._hub.serve, edge=request.actor.name))
        return ApiAnswer(self._hub.about(request.actor.name))

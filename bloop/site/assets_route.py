"""GET /assets/{name}: stylesheet, scripts and icons under hashed names, immutable."""

from __future__ import annotations

import falcon

from bloop.base.errors import NotFound
from bloop.site.assets import Asset, Assets
from bloop.site.html import takes_gzip

ASSET_MAX_AGE_S = 31_536_000


class AssetFiles:
    """GET /assets/{name}: files under hashed names, immutable."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        asset: Asset | None = self._assets.get(name)
        if asset is None:
            raise NotFound("no such file")
        resp.content_type = asset.content_type
        resp.set_header("Cache-Control", f"public, max-age={ASSET_MAX_AGE_S}, immutable")
        resp.data = asset.body
        if asset.gzipped is not None:
            resp.set_header("Vary", "Accept-Encoding")
            if takes_gzip(req):
                resp.set_header("Content-Encoding", "gzip")
                resp.data = asset.gzipped

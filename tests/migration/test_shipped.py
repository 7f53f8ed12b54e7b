"""Shipped migrations are never edited (bloop/db/migrate.py MIGRATE-3), not even their comments.

Every installation compares what it applied with what is shipped, and does not start when they differ.
"""

from __future__ import annotations

from bloop.db import migrate

# One line more with each migration; the lines that are there stay as they are.
APPLIED = {
    "0001_initial": "b45ed9bb4d85f91eb319f2196dea58e8a0546d86067a68c0f37e560defa4df95",
    "0002_accounts": "89c1bf6923441e444d5419715fd27c400f3021b6fa8d56cfd7f17bcad90a0836",
    "0003_rejections": "2979d1612b623713e0158c94d0a68a55863b93c122b346a2a52a22b995f574d0",
    "0004_search": "8f480f22937ea2287ae858dee86e867108f7886278085e50f43a3c5d7583edb5",
    "0005_processes": "3a2a3bb4f59df79a260446d3c4ec77986917ef40367e0c71ade00b72c69edb93",
    "0006_lifecycle": "27ff4c026734a8594cbcce44986c3271591d89c8ef9c429a68e532dd34b7e949",
    "0007_alerts": "1829d1ce2728c5b20f88cd8d86874e133c9ced14461d3a85083e42e8e7b1f940",
    "0008_retention": "c3e92b68077e75dd36ae8c6fe9e547e492cf38ccdc8098c6333a7cdd2b10c5ad",
    "0009_backups": "f19a9a1acae3c8c282e7c22a21ad4b5f399a2e8f8d485b7fb6b140daa9f470e5",
    "0010_categories": "f89370b184731712fae6048ba554049b06b46ddd73a78831b64f56f7a0fea6ec",
    "0011_rows": "5752788a5a76ad4deb7733dcd7eef160da1207088842af8f1dda79680ebe54bb",
    "0012_limits": "7a2b8ae2d5a446626590d1d1d55f9bab9f9efc7b1cf37e903a7138fb37316e86",
    "0013_key_rotation": "73282a46062897b1aad5fe94726acf4f3752d035d4ea3fc606b9665f0c9d341d",
    "0014_project_options": "5c75e5739b4284bf68b86080f36bf84dd59e2ec998a3566a4e09345a0b086c80",
    "0015_issue_retention": "7d139af09a9741f344706c0b466ca9991bd97defba6cb0e8163c015e4b9c3e6e",
    "0016_issue_pages": "0f4d7d4c5d2dd8445adf18c3fd8aaa72ac78088669d77aa65c2f260c25b6155c",
    "0017_event_index": "23bf84cc5f53fa94ac7535c41c1750ee34c8d71ebfe118a8160a2f12c489c822",
    "0018_inbox_tabs": "98cbd4dc3fa41081321f5288c9aa5291474c280bfc400645f45662e820400ae7",
    "0019_undo_and_views": "2226d93230f046ec01276283ec1c607b5cff87d0da171f895fd151ee8d2f4acd",
    "0020_channels": "02e7019597a975fe94188a343c57402157793cbf2cf0aa963e521a631307546d",
    "0021_search_keys": "46d693db2c86c9e9f8e23bcef348e92c1b527ec1b43d91c65a62cef0491db8d3",
}


def test_no_migration_differs_from_what_installations_have_applied() -> None:
    assert {f"{m.version:04d}_{m.name}": m.sha256 for m in migrate.shipped()} == APPLIED

"""Valkey, which authentik used up to 2025.8 as its cache and for messages. Importing its library takes longer than the
rest of a start, so only the versions that use it import it."""
from versions import at_least


def used_by(version: str) -> bool:
    return not at_least(version, "2025.10")


def ping(settings: dict) -> None:
    import redis

    for key in ("cache.url", "channel.url"):
        try:
            redis.Redis.from_url(settings[key], socket_timeout=3).ping()
        except redis.RedisError as error:
            raise ConnectionError(str(error)) from error


def round_trip(settings: dict) -> str:
    """Writes and reads through the cache, and publishes on the channel: the commands that authentik's user needs. Pages
    are served even without Valkey."""
    import redis

    try:
        cache = redis.Redis.from_url(settings["cache.url"], socket_timeout=3)
        cache.set("authentik_cache:1:stand-in", "ok", ex=60)
        redis.Redis.from_url(settings["channel.url"], socket_timeout=3).publish("authentik_channels_stand-in", "ok")
        return cache.get("authentik_cache:1:stand-in").decode()
    except redis.RedisError as error:
        return str(error)

"""The desk: agents' decisions, money and orders of one shard, as a pure fold over its inputs."""

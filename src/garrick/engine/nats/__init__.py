"""The engine on NATS: a server, a carrier, the feed of members. Needs the extra `cluster`; import it late."""

"""The pages people open: a backend for frontend with no store and no Kafka."""

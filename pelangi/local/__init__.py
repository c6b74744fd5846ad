"""The one-machine run: Apache Kafka, the document store and a mailbox as plain processes, and the supervisor over them."""

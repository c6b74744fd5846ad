"""The whole system in one thread, on a clock of its own: what the state machine of tests/properties/test_machine.py drives.

Real: `Running` of every process (consumer, leader, relay, timers), all four services, their routes and handlers. Made here:
the event loop's time (loop), Kafka (kafka), the store's failures (store), the provider of mails (mailbox), the people (people).
"""

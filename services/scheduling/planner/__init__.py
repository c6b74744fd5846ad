"""Where and when: `interface` says the question, `first_fit` the one answer so far, `priority` who comes first."""

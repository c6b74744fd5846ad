"""The planner against its demands, beside what simple rules and another solver make of the same instances."""

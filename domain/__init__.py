"""What may happen: the rules, without SQL, HTTP, scheduler, clock or socket."""

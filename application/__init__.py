"""What can be asked for and done, one module a noun: the commands and the queries, for pages, API and
command line alike."""

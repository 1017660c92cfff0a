"""What an e-mail address, a mailbox and a public URL may be: judged here, from the settings to the wire."""

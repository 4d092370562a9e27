"""ALOR: JSON over two WebSockets and HTTP. Source of every fact: the ALOR protocol sheet, sections named in place."""

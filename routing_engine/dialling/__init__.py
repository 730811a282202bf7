"""People dial from here: their phone rings first, then the number is called. And what is done with calls under way.

A PBX is told what to do through the port `PbxCommands` of `calls/`; what becomes of it is heard like that of any other
call. May import the rooms below it; knows nothing of HTTP. To add a thing to do, write a method of `CallControl`.
"""

"""Holds back floods of deletes and waves of noise until a user decides (docs/decisions/0003); and a
folder that was joined, until its plan is answered (`hold`)."""

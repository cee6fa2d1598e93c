"""The parcel desk: takes a parcel, prints a label."""

from config import settings


def label(parcel: dict) -> str:
    """One line for the printer."""
    return f"{parcel['id']}: {parcel['from']} -> {parcel['to']} ({settings.SESSION_LIFETIME} s)"

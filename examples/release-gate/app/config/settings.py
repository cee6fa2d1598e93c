"""Settings of the parcel desk. The credentials are planted for the example; none opens anything."""

DATABASE_URL = "postgresql://parcel:u8jzPde0IgxLd6Gncf@db.parcel.example:5432/parcel"
SESSION_LIFETIME = 3600
PARTNER_API_KEY = "BAepfJBd0Kh8oOOL8dKLzdocJ2isAjIhKtJ0RlgL"

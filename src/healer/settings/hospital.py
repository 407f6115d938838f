"""The hospital's DICOM archive and its record system."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr

from healer.settings.names import LocalPath
from healer.settings.server import ADDRESS

NO_CODES = "none"


class HospitalSettings(BaseModel):
    dicomweb_user: str | None = Field(
        default=None, description="User for the DICOM archive, with HEALER_DICOMWEB_PASSWORD."
    )
    dicomweb_password: SecretStr | None = Field(default=None, description="That user's password.")
    dicomweb_token: SecretStr | None = Field(
        default=None, description="Bearer token for the DICOM archive, in place of a user."
    )
    dicomweb_ca: LocalPath | None = Field(
        default=None,
        description="Certificates (PEM) that the archive's own is checked against; by default "
        "those of the system.",
    )
    dicomweb_timeout: float = Field(
        default=60, gt=0, description="Seconds that the archive may be silent."
    )
    fhir_url: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="FHIR R4 server that reports of slides are posted to.",
    )
    fhir_token: SecretStr | None = Field(default=None, description="Bearer token for that server.")
    codes: str = Field(
        default="SCT,LN",
        pattern=r"^(none|(SCT|LN)(,(SCT|LN))?)$",
        description="Code systems that results may use by their licences: SNOMED CT (`SCT`), LOINC "
        "(`LN`), both, or `none`; Healer's own codes stand in for the others.",
    )

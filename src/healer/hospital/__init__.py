"""The hospital's own systems: slides out of its DICOM archive, and results as DICOM and FHIR.

Needs the `hospital` extra.
"""

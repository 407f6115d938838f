"""The one error tree. Codes are stable: clients may switch on them.

HealerError
├── InvalidSettings          a variable's value cannot be used
├── InternalError            on one image, in an unforeseen way
├── ShuttingDown             stopping: no new answers
├── Busy                     come again later; it says when
│   ├── QueueFull            as many wait as may
│   ├── ConnectionsFull      each open one has a request under way
│   ├── UploadsFull          images hold all the memory set aside for them
│   └── RateLimited          one caller, too often
├── DeadlineExceeded         no answer in time
├── OutOfMemory              in this process, outside the model
├── ImageReaderLost          killed from outside, or the system failed it
├── IdentityUnavailable      the issuer's keys cannot be fetched
├── ResultsUnusable          the worklist's folder, HEALER_RESULTS
├── OidcLibrariesMissing     the oidc extra is missing
├── TracingLibrariesMissing  the otel extra is missing
├── KeysError                the file of API keys
│   ├── KeysUnreadable
│   ├── KeysNotWritable
│   ├── KeyNameTaken
│   └── KeyUnknown
├── DownloadError            acquiring weights
│   ├── TokenMissing         no MY_HF_TOKEN / HF_TOKEN
│   ├── TokenRejected        the hub says 401
│   ├── LicenceNotAccepted   the hub says 403: gated
│   ├── ModelNotFound        unknown repository
│   ├── RevisionNotFound     unknown revision
│   ├── RevisionNotPinned    a revision that moves, not allowed
│   ├── HubUnreachable       no network, or the hub does not answer
│   ├── DiskFull             checked before downloading
│   ├── FileDamaged          a file arrived with another size or hash
│   └── FolderNotWritable
├── ModelError               using weights
│   ├── ModelIncomplete      MODEL_DIR is not a finished download
│   ├── ModelAltered         a file does not match the manifest
│   ├── ExtraNotInstalled    the engine's libraries are missing
│   ├── DeviceUnavailable
│   ├── ModelUnsound         loaded, but gives no usable numbers
│   ├── CalibrationUnreadable
│   ├── CalibrationMismatch  fitted for another engine, model, prompt …
│   ├── AdapterIncomplete    MODEL_ADAPTER is not a finished adapter
│   ├── AdapterMismatch      trained for another model
│   ├── AdapterNotMerged     a converted model was converted without it
│   ├── ConversionIncomplete not a finished `healer optimize`
│   ├── ConversionAltered    a file does not match its record
│   ├── NotConvertible       not a Gemma 3 that sees images
│   ├── ConversionInaccurate past the tolerance: not installed
│   ├── ConversionDiskFull   checked before converting
│   ├── MemoryTooSmall       checked before converting
│   ├── ConversionTaken      the output folder holds something else
│   ├── ModelNotReady        still loading, or tested again
│   │   └── ModelUnavailable     failed to load, until an operator acts
│   ├── EngineFailed         on one image, in a way it did not foresee
│   ├── EngineOutOfMemory    on one image
│   ├── EngineHung           silent for too long
│   ├── TooManyPictures      in one prompt
│   ├── EngineWritesNoDraft  it does not read several pictures in one prompt
│   └── UpstreamError        a model behind another server
│       ├── UpstreamUnreachable  no answer, or one of the 500s
│       ├── UpstreamBusy         429
│       ├── UpstreamKeyRejected  401 or 403
│       ├── UpstreamModelUnknown 404, or not among its models
│       ├── UpstreamUnsuited     no logprobs, no images, or no such interface
│       ├── UpstreamChanged      another model since it was probed
│       └── UpstreamUncalibrated the calibration was fitted for another
├── DatasetError             evaluating and calibrating
│   ├── DatasetNotFound      neither a path nor fetched yet
│   ├── DatasetUnreadable
│   ├── LabelUnknown         a class that is neither yes nor no
│   ├── DownloadRefused      Healer does not fetch this one
│   ├── DatasetUnreachable   the publisher does not answer
│   ├── DatasetDamaged       an archive arrived with another checksum
│   ├── ArchiveUnsafe        an archive would write where it must not
│   ├── ResultsMismatch      results of something else
│   ├── NotCalibratable      no calibration can be fitted
│   ├── TilesMissing         listed paths name no file
│   └── EvalNotInstalled     the eval extra is missing
├── TuningError              fine-tuning
│   ├── TooFewCases          no split that parts no case
│   ├── TileUnusable         a training tile cannot be read
│   ├── FolderTaken          the output folder holds something else
│   ├── CheckpointUnusable   damaged, or of another run
│   ├── TuningDiskFull       checked before training
│   └── TuningDiverged       the loss is not a number
├── ArchiveError             answering for whole archives
│   ├── ListingUnreadable    no list of tiles
│   ├── OutputTaken          the output is there already, or being written
│   ├── RunMismatch          the answers kept are another run's
│   ├── AnswersNotWritable
│   ├── ArchivesNotInstalled the ray extra is missing
│   ├── RayUnavailable       not started, or no cluster there
│   ├── WorkersFailed        all of them, whatever the tile
│   └── TileNotAnswered      one that takes its worker with it
├── AuditError               the audit log
│   ├── AuditUnavailable     the store does not answer, or cannot be written
│   ├── AuditOutdated        its tables are another version's
│   ├── AuditUnreadable      a copy whose newest records need a folder that can be written
│   ├── AuditLibrariesMissing the audit extra is missing
│   ├── AuditBroken          a record does not fit the one before it
│   ├── AnchorMissing        the log was cut off, or rewritten
│   ├── ImageNotRecorded     nothing to replay
│   ├── SlideNotRecorded     nothing to replay
│   └── NotReplayable        recorded by something else than is configured
├── HospitalError            DICOM archives and record systems
│   ├── NotADicomSlide       DICOM results of another format
│   ├── HospitalNotInstalled the hospital extra is missing
│   ├── ArchiveUnreachable   no answer, or one of the 500s
│   ├── ArchiveRefused       one of the 400s
│   ├── ArchiveFull          results are not stored
│   ├── ResultsRejected      it does not take one of them
│   ├── SeriesUnknown
│   ├── WatchTaken           another watch uses the folder
│   └── FhirRefused          the record system does not take the report
│       └── FhirUnavailable  nor any other
└── RequestError             what a client sent
    ├── UploadNotMultipart   another content type
    ├── MalformedForm        multipart that does not parse
    ├── MissingField
    ├── InvalidField
    ├── RepeatedField        two pictures, or two values
    ├── UnknownField
    ├── UnknownParameter     in the address
    ├── BodyEncoded          Content-Encoding
    ├── AddressUnknown       404
    ├── MethodNotAllowed     405
    ├── PreflightRefused     CORS
    ├── InvalidTimeout       X-Request-Timeout
    ├── EmptyFile
    ├── TooManyBytes
    ├── FileNotReadable      on the command line
    ├── AddressNotFile       a URL there
    ├── FolderWithoutImages
    ├── OutputNotWritable
    ├── ReviewUnreadable
    ├── AnswerUnknown        a review of no recorded answer
    ├── AuditOff             a review, where no log is kept
    ├── AccessError          who the caller is, or how the request arrives
    │   ├── CredentialsMissing
    │   ├── KeyRejected
    │   ├── KeyExpired
    │   ├── IdentityRejected     a token that does not hold
    │   ├── RemoteAccessDenied     reached over the network, without authentication
    │   ├── HostUnknown
    │   ├── HeadTooLarge
    │   ├── HttpUnreadable
    │   └── ClientTooSlow
    ├── SlideError               a whole slide
    │   ├── NotASlide
    │   ├── SlideDamaged
    │   ├── SlideUnsupported
    │   ├── NotBrightfield       fluorescence
    │   ├── NoResolution         none stated, or none plausible
    │   ├── ResolutionContradictory
    │   ├── SlideSeriesIncomplete    files of it are missing
    │   ├── SlideTooCostly       in seconds or memory, or it ended the reader
    │   ├── AreaUnreadable       a part of it; the rest is read
    │   ├── SlideRunMismatch     the tiles read so far are another run's
    │   ├── SlideTaken           another run is writing
    │   ├── SlideAnswersNotWritable
    │   ├── SlideListUnreadable
    │   ├── ListedScaleUnusable  no plausible micrometres per pixel in its row
    │   ├── ListedWithoutPath    no file in its row
    │   ├── SlideListedTwice     with different scales or labels
    │   ├── FolderWithoutSlides

    │   ├── SlideReplaced        while it was read
    │   └── SlidesNotInstalled   the slides extra is missing
    ├── SlideRequestError    of the service's folder of slides
    │   ├── SlidesOff            HEALER_SLIDES is not set
    │   ├── SlideUnknown
    │   ├── SlideBeingRead
    │   ├── SlideNotBeingRead
    │   ├── SlideNotRead
    │   ├── NoTileHere
    │   ├── NoPictureHere
    │   └── SlideRequestUnreadable
    └── ImageError
        ├── NotAnImage
        ├── UnsupportedFormat    a format or a coding that is not read, or several pages
        ├── PageNotFound
        ├── TruncatedImage
        ├── TooManyPixels
        ├── ImageTooCostly       in seconds or memory, or it ended the decoder
        └── ImageNotAssessable   the gate: no H&E field that can be judged

Where the same request may be answered later without anybody acting, an error is `retryable`.
Each error carries typed fields and builds its own sentence from them: what happened, then what
to do next. HTTP statuses live in `healer.problem`, exit codes here.
"""

from __future__ import annotations

from healer.errors.access import *
from healer.errors.audit import *
from healer.errors.base import *
from healer.errors.batch import *
from healer.errors.engine import *
from healer.errors.evaluation import *
from healer.errors.hospital import *
from healer.errors.request import *
from healer.errors.scheduling import *
from healer.errors.slides import *
from healer.errors.weights import *
from healer.errors.worklist import *

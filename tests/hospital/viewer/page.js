// A study in dicom-microscopy-viewer: its slide, and each kind of result as a layer to be shown.
// `window.layers` is set when all are added; each shows itself and says how many things it has.
const library = window.dicomMicroscopyViewer
const url = `${location.origin}/dicom-web`
const client = new window.DICOMwebClient.api.DICOMwebClient({ url })
const studyInstanceUID = new URLSearchParams(location.search).get('study')
const GROUPS = '006A0002'
const COORDINATES = '00660016'

const found = await client.searchForSeries({ studyInstanceUID })
const value = (document, tag) => document[tag]?.Value?.[0]

async function documents(modality) {
  const series = found.filter((each) => value(each, '00080060') === modality)
  const metadata = series.map((each) =>
    client.retrieveSeriesMetadata({
      studyInstanceUID,
      seriesInstanceUID: value(each, '0020000E'),
    }),
  )
  return (await Promise.all(metadata)).flat()
}

// Orthanc's DICOMweb 1.7 gives the first number alone of a list of coordinates, and does not say
// that there are more. Its bulk data are whole, and the viewer fetches them where they are named.
function throughBulkData(document) {
  const place = ['series', '0020000E', 'instances', '00080018']
  const path = place.map((each) => value(document, each) ?? each).join('/')
  const short = document[GROUPS].Value.filter((group) => group[COORDINATES].Value?.length === 1)
  for (const group of short) {
    const number = document[GROUPS].Value.indexOf(group) + 1
    const BulkDataURI = `${url}/studies/${studyInstanceUID}/${path}/bulk/${GROUPS}/${number}/${COORDINATES}`
    group[COORDINATES] = { vr: 'OF', BulkDataURI }
  }
  return document
}

function outlines(item) {
  const inside = (item['0040A730']?.Value ?? []).flatMap(outlines)
  return value(item, '0040A040') === 'SCOORD3D' ? [item, ...inside] : inside
}

function region(item) {
  const numbers = item['00700022'].Value
  const coordinates = Array.from({ length: numbers.length / 3 }, (_, place) =>
    numbers.slice(3 * place, 3 * place + 3),
  )
  const frameOfReferenceUID = value(item, '30060024')
  return new library.roi.ROI({
    scoord3d: new library.scoord3d.Polygon({ coordinates, frameOfReferenceUID }),
  })
}

const formatted = (Format, all) => all.map((metadata) => new Format({ metadata }))
const { metadata } = library
const slide = formatted(metadata.VLWholeSlideMicroscopyImage, await documents('SM'))
const viewer = new library.viewer.VolumeImageViewer({ client, metadata: slide, controls: [] })
viewer.render({ container: 'slide' })
viewer.addParameterMappings(formatted(metadata.ParametricMap, await documents('OT')))
viewer.addSegments(formatted(metadata.Segmentation, await documents('SEG')))
for (const each of (await documents('ANN')).map(throughBulkData))
  viewer.addAnnotationGroups(new metadata.MicroscopyBulkSimpleAnnotations({ metadata: each }))
const regions = (await documents('SR')).flatMap(outlines)

function layer(all, show, hide) {
  return {
    show: () => all.forEach((each) => show(each)),
    hide: () => all.forEach((each) => hide(each)),
    count: all.length,
  }
}

const uid = (each) => each.uid
window.layers = {
  map: layer(
    viewer.getAllParameterMappings().map(uid),
    (each) => viewer.showParameterMapping(each),
    (each) => viewer.hideParameterMapping(each),
  ),
  tissue: layer(
    viewer.getAllSegments().map(uid),
    (each) => viewer.showSegment(each),
    (each) => viewer.hideSegment(each),
  ),
  tiles: layer(
    viewer.getAllAnnotationGroups().map(uid),
    (each) => viewer.showAnnotationGroup(each),
    (each) => viewer.hideAnnotationGroup(each),
  ),
  regions: layer(
    regions.map(region),
    (each) => viewer.addROI(each, { stroke: { color: [255, 0, 0, 1], width: 3 } }),
    (each) => viewer.removeROI(each.uid),
  ),
}

#!/bin/sh
# Fetches and unpacks packages that carry pictures: pictures.sh FOLDER (about 500 MB fetched).
# Nothing is installed; the pictures are only read, and none of them is shipped with Healer.
set -eu
folder=$1
debian="gnome-backgrounds mate-backgrounds ukui-wallpapers plasma-workspace-wallpapers
lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 tuxpaint-stamps-default scratch
openarena-data gimp-data"
mkdir -p "$folder/fetched"
folder=$(cd "$folder" && pwd)
cd "$folder/fetched"
for package in $debian; do
    apt-get download -q "$package"
    dpkg-deb -x "$package"_*.deb "$folder/$package"
done
for package in scikit-image pydicom; do
    python -m pip download --quiet --no-deps "$package"
done
python -m zipfile -e scikit_image-*.whl "$folder/scikit-image"
python -m zipfile -e pydicom-*.whl "$folder/pydicom"

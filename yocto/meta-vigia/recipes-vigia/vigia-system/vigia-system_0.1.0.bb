SUMMARY = "System files of a box: units, users, layout, broker, updates"
DESCRIPTION = "The files of appliance/, put in place by the script that the virtual appliance uses, too."

require recipes-vigia/vigia/vigia-source.inc

inherit useradd

# For the group render.
DEPENDS += "udev"
INHIBIT_DEFAULT_DEPS = "1"
PACKAGE_ARCH = "${MACHINE_ARCH}"

# Whoever lacks nvbootctrl speaks like it (qemu machines: appliance/README.md).
VIGIA_PLATFORM = "efi"
VIGIA_PLATFORM:vigia-jetson = "tegra"
VIGIA_KEYRING = "${VIGIA_KEYS}/keyring.pem"
do_install[file-checksums] += "${VIGIA_KEYRING}:${@os.path.exists(d.getVar('VIGIA_KEYRING'))}"

do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    [ -s "${VIGIA_KEYRING}" ] || bbfatal "${VIGIA_KEYRING} is not there: make it with appliance/keys.sh, or set VIGIA_KEYS"
    ${S}/appliance/install.sh files ${D} --platform ${VIGIA_PLATFORM} --compatible ${VIGIA_COMPATIBLE} \
        --version ${PV} --floor ${VIGIA_FLOOR} --keyring ${VIGIA_KEYRING}
    # Mount points that base-files owns.
    rmdir ${D}${localstatedir}
}

FILES:${PN} += "${nonarch_libdir} ${datadir}/vigia /data"

USERADD_PACKAGES = "${PN}"
# The numbers of appliance/units/vigia.sysusers.conf: what the old version wrote, the new one owns.
GROUPADD_PARAM:${PN} = "--system --gid 690 vigia; --system --gid 691 vigia-pump; --system --gid 692 vigia-gpio"
USERADD_PARAM:${PN} = "--system --uid 690 --gid vigia --groups video,render --no-create-home --home-dir ${localstatedir}/lib/vigia --shell /sbin/nologin vigia; \
                       --system --uid 691 --gid vigia-pump --groups vigia-gpio --no-create-home --home-dir ${localstatedir}/lib/vigia/pump --shell /sbin/nologin vigia-pump"

RDEPENDS:${PN} = "chrony coreutils e2fsprogs-e2fsck e2fsprogs-mke2fs e2fsprogs-resize2fs grep mosquitto openssl-bin rauc \
                  rauc-service systemd-networkd util-linux-blkdiscard util-linux-blkid util-linux-mount"
RDEPENDS:${PN}:append:vigia-jetson = " tegra-redundant-boot-base setup-nv-boot-control-service"
RRECOMMENDS:${PN} = "kernel-module-dm-verity kernel-module-loop kernel-module-squashfs"
RPROVIDES:${PN} = "virtual-rauc-conf"

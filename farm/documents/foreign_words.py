"""Words that other tools use for what has another name here, or is not here at all."""

from collections.abc import Collection

from farm.documents.document import did_you_mean

_KEYS = {
    "guidance": "cfg cfgscale cfgguidance guidancescale classifierfreeguidance",
    "guidance_rescale": "cfgrescale rescalecfg rescale rescalephi guidancerescalefactor",
    "spacing": "timestepspacing timestepsspacing",
    "terminal_snr": "zerosnr zeroterminalsnr rescalebetaszerosnr ztsnr",
    "clip_skip": "clipskip skipclip clipstopatlastlayers",
    "vae_tile": "vaetiling tiledvae tiledvaedecode vaedecodetiled vaetilesize tilesize",
    "steps": "numinferencesteps inferencesteps samplingsteps numsteps nsteps",
    "scheduler": "sampler samplername samplingmethod samplermethod schedulername noisescheduler",
    "size": "width height imagesize resolution imagewidth imageheight aspectratio",
    "negative": "negativeprompt negprompt promptnegative negativeprompts",
    "seed": "seeds randomseed noiseseed rngseed",
    "batch": (
        "batchsize numimagesperprompt imagesperprompt batchcount niter nsamples numimages"
        " numberofimages"
    ),
    "strength": "denoise denoising denoisingstrength img2imgstrength",
    "reference": "initimage inputimage imageprompt image2image img2img sourceimage",
    "control": "controlnet controlnets controlnetmodel",
    "control_image": "controlmap hintimage controlnetimage",
    "control_scale": "controlnetconditioningscale controlweight controlnetscale controlnetweight",
    "likeness": "ipadapter ipadapters styletransfer stylereference subjectreference",
    "likeness_image": "ipadapterimage styleimage subjectimage sref cref",
    "likeness_scale": "ipadapterscale ipadapterweight styleweight stylestrength",
    "upscale": "upscaler upscalers upscalemodel upscalermodel",
    "upscale_by": "upscaleby upscalefactor upscalingfactor scalefactor",
    "edit": "editimage editimages kontext kontextimage inputimages referenceimages",
    "lora": "loras loraname lorapath loramodel",
    "lora_scale": "loraweight lorastrength",
    "model": (
        "checkpoint ckpt ckptname modelname modelhash sdmodel sdmodelcheckpoint basemodel modelid"
    ),
}
_HOW = {
    "size": "write it WIDTHxHEIGHT, like 512x768",
    "batch": (
        "how many pictures there are is said by `seeds: {count: N}`, and `batch` is the shape of"
        " one device call"
    ),
    "seed": "a row's own seeds stand in a column `seed`, and those of all rows under `seeds`",
    "clip_skip": (
        "it is called 'clip_skip' here, and counts the layers that are left out: 1 is what other"
        " tools call 2"
    ),
    "terminal_snr": "write it `terminal_snr: zero`",
    "model": "one campaign has one model: say it under `model`, and write a campaign for each",
}
_NOT_HERE = (
    "vae vaename sdvae hiresfix enablehr hrscale hrupscaler hiresupscale"
    " hiresupscaler hiressteps hressteps refiner refinerswitchat restorefaces facerestoration"
    " codeformer tiling subseed subseedstrength variationseed variationseedstrength"
    " ensd hypernetwork schedulertype scheduletype tokenmergingratio"
)
_UNKNOWN = frozenset(_NOT_HERE.split())
_BY_FOREIGN = {foreign: own for own, words in _KEYS.items() for foreign in words.split()}
_SCHEDULERS = {
    "ddim": "ddim ddimcfg++",
    "ddpm": "ddpm",
    "euler": "euler keuler",
    "euler-ancestral": "eulera keulera eulerancestral eulerancestralcfg++",
    "dpm++-2m": "dpm++2m kdpm++2m dpmpp2m kdpmpp2m dpmsolvermultistep dpmsolver++ dpm++",
    "dpm++-2m-karras": "dpm++2mkarras kdpm++2mkarras dpmpp2mkarras kdpmpp2mkarras",
    "unipc": "unipc unipcmultistep unipcbh1 unipcbh2",
    "lcm": "lcm",
    "tcd": "tcd",
    "flow-match-euler": "flowmatcheuler flowmatch rectifiedflow eulerflow",
}
_SCHEDULER_OF = {foreign: own for own, words in _SCHEDULERS.items() for foreign in words.split()}


def own_word(word: str) -> str | None:
    """What a key or column of another tool is called here."""
    own = _BY_FOREIGN.get(_bare(word))
    return own if own != word else None


def foreign_hint(word: str) -> str | None:
    """What to write instead of a key or column of another tool, or that there is no such thing
    here; None for other words.
    """
    own = own_word(word)
    if own is not None:
        return _HOW.get(own) or f"it is called {own!r} here"
    return "this farm has no such thing" if _bare(word) in _UNKNOWN else None


def scheduler_hint(word: str, known: Collection[str]) -> str:
    """Which of the known schedulers another tool means by a name, else those that are near or
    known.
    """
    bare = _bare(word).removesuffix("scheduler").removesuffix("discrete")
    own = _SCHEDULER_OF.get(bare)
    return f"did you mean {own!r}?" if own in known else did_you_mean(word, known)


def _bare(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "").replace(" ", "").replace(".", "")
